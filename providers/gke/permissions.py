"""The least rights per verb, as custom roles: to print, and to ask the project about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import yaml

from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.templates import load_yaml

# To look at a role of the user's own, which only the check of it does.
SEE_ROLE = "iam.roles.get"
# What is done without where it is not granted.
DISPENSABLE = frozenset(
    {
        "compute.forwardingRules.list",
        "compute.regions.get",
        # Where it is needed, the way to the cluster shows it.
        "container.clusters.connect",
        SEE_ROLE,
        "serviceusage.services.get",
    }
)


def documents(verb: Verb) -> list[PolicyDocument]:
    """One custom role that covers the verb, offline."""
    role = {
        "title": f"anyscale-k8s {verb.value} on GKE",
        "description": "The least that anyscale-k8s-cli needs in the project",
        "stage": "GA",
        "includedPermissions": of(verb),
    }
    text = yaml.safe_dump(role, sort_keys=False)
    return [PolicyDocument(f"anyscale-k8s-gke-{verb.value}", "Google Cloud custom role", text)]


def of(verb: Verb) -> list[str]:
    """All that a verb needs."""
    document = load_yaml("gke/permissions.yaml")
    return sorted({name for part in verb.parts for name in document[part]})


def on_objects(names: Iterable[str]) -> list[str]:
    """Those that an object can be asked about itself, once it is there."""
    return [name for name in names if not name.endswith(".create")]


def on_new_buckets() -> list[str]:
    """Those that whoever has a basic role has on a bucket that he makes."""
    return list(load_yaml("gke/permissions.yaml")["on_new_buckets"])


def marks_of_basic_roles() -> list[str]:
    """Those by which the holder of a basic role is known."""
    return list(load_yaml("gke/permissions.yaml")["marks_of_basic_roles"])


def to_empty() -> tuple[str, ...]:
    """Those that it takes to remove a bucket with all that is in it."""
    return ("storage.buckets.delete", "storage.objects.delete", "storage.objects.list")


def grant(project: str, member: str, missing: Sequence[str]) -> str:
    """The commands by which an administrator of the project gives these permissions."""
    named = ",".join(sorted(missing))
    role = f"anyscale_k8s_{sha256(named.encode()).hexdigest()[:8]}"
    return (
        f"gcloud iam roles create {role} --project {project} --permissions={named}\n"
        f"gcloud projects add-iam-policy-binding {project} --member={member} "
        f"--role=projects/{project}/roles/{role} --condition=None"
    )


def command(verb: Verb) -> str:
    """What prints the whole role."""
    return f"anyscale cloud permissions --provider gke --verb {verb.value}"
