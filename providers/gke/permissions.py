"""The least rights per verb, as custom roles: to print, and to ask the project about."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.templates import load_yaml

# What is done without where it is not granted.
DISPENSABLE = frozenset({"compute.forwardingRules.list", "compute.regions.get"})


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


def before_making(names: Iterable[str]) -> list[str]:
    """Those that the project can be asked about, while an object is not there yet.

    Who makes a bucket may set it up by the policy that it begins with.
    """
    by_making = load_yaml("gke/permissions.yaml")["on_new_buckets"]
    return [name for name in names if name not in by_making]
