"""The least rights per verb, as custom roles: to print, and to ask the project about."""

from __future__ import annotations

import yaml

from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.templates import load_yaml

# Whoever sets up or deletes also looks first.
_PARTS = {
    Verb.PLAN: ("plan",),
    Verb.SETUP: ("plan", "setup"),
    Verb.DELETE: ("plan", "delete"),
}


def documents(verb: Verb) -> list[PolicyDocument]:
    """One custom role that covers the verb, offline."""
    role = {
        "title": f"anyscale-k8s {verb.value} on GKE",
        "description": "The least that anyscale-k8s-cli needs in the project",
        "stage": "GA",
        "includedPermissions": sorted(_all(verb)),
    }
    text = yaml.safe_dump(role, sort_keys=False)
    return [PolicyDocument(f"anyscale-k8s-gke-{verb.value}", "Google Cloud custom role", text)]


def in_project(verb: Verb) -> list[str]:
    """Those that a project's policy can be asked for before the objects are there.

    Who makes a bucket may set it up by the policy that it begins with.
    """
    on_objects = set(load_yaml("gke/permissions.yaml")["on_new_buckets"])
    return sorted(set(_all(verb)) - on_objects)


def _all(verb: Verb) -> list[str]:
    document = load_yaml("gke/permissions.yaml")
    return [name for part in _PARTS[verb] for name in document[part]]
