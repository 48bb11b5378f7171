"""The least rights for a command: the platform's own documents, and the cluster's role."""

from __future__ import annotations

import yaml

from anyscale_k8s_cli.cluster.rights import cluster_role, parts_for, role_name
from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.provider_registry import load
from anyscale_k8s_cli.run import Run


def in_cloud(provider: str, verb: Verb, run: Run) -> list[PolicyDocument]:
    """What the platform's account must grant; empty where it has no say. Asks nobody."""
    return list(load(provider, run).permissions(verb))


def in_cluster(verb: Verb, network: str = "gateway") -> list[PolicyDocument]:
    """What the cluster must grant, on every platform alike; `network` is how users come in."""
    name = role_name(verb.value)
    role = cluster_role(name, (*verb.cluster_parts, *parts_for(network)))
    text = yaml.safe_dump(role, sort_keys=False)
    return [PolicyDocument(name, "Kubernetes ClusterRole", text)]
