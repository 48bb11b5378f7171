"""The least rights in a cluster, as a ClusterRole: to print, and to ask the API server about."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.templates import load_yaml

_WHO = (
    "these are for an administrator of the cluster (where nobody is one for you, see "
    "docs/permissions.md#without-rights-in-the-whole-cluster); then run the same command again"
)


@dataclass(frozen=True, order=True)
class Right:
    """A verb on a kind; `namespaced` are kinds that live in namespaces."""

    group: str
    resource: str
    verb: str
    namespaced: bool = True

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


def rights(parts: Sequence[str]) -> list[Right]:
    """Each right that the parts (`plan`, `setup`, `delete`) take together, once."""
    return sorted(set(_rights(parts)))


def cluster_role(name: str, parts: Sequence[str]) -> Document:
    """The rights as a role of the whole cluster."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for right in _rights(parts):
        verbs.setdefault((right.group, right.resource), set()).add(right.verb)
    kinds: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), found in sorted(verbs.items()):
        kinds.setdefault((group, tuple(sorted(found))), []).append(resource)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [
            {"apiGroups": [group], "resources": resources, "verbs": list(found)}
            for (group, found), resources in kinds.items()
        ],
    }


def by_kind(wanted: Sequence[Right]) -> Iterator[str]:
    """The rights in words, a line for each kind."""
    for (group, resource), found in groupby(sorted(wanted), key=lambda r: (r.group, r.resource)):
        verbs = ", ".join(right.verb for right in found)
        yield f"{verbs} {resource}{f'.{group}' if group else ''}"


def role_name(verb: str) -> str:
    """Of the role that is printed for a command."""
    return f"anyscale-k8s-{verb}"


def parts_for(network: str) -> tuple[str, ...]:
    """What is needed besides, by how users come in."""
    return (network,) if network == "nginx" else ()


def way_in(
    access: ClusterAccess, user: str, provider: str, verb: str, network: str = "gateway"
) -> str:
    """How an administrator gives a user, as the API server calls it, what a command needs."""
    name = role_name(verb)
    printed = f"anyscale cloud permissions --provider {provider} --scope cluster --verb {verb}"
    if parts_for(network):
        printed += f" --network {network}"
    bound = f"create clusterrolebinding {name} --clusterrole={name}"
    commands = [
        f"{printed} | {access.kubectl('apply -f -')}",
        access.kubectl(bound, shlex.quote(f"--user={user}")),
    ]
    if access.grant_rights:
        commands.append(f"or, for everything there: {access.grant_rights}")
    return "\n".join((*commands, _WHO))


def denied(
    kubernetes: Kubernetes, wanted: Sequence[Right], namespace: str, account: str | None = None
) -> list[Right]:
    """Those that the API server says no to, asked of whoever asks or of a service account."""

    def allowed(right: Right) -> bool:
        plural, _, subresource = right.resource.partition("/")
        return kubernetes.can_i(
            right.verb,
            plural,
            group=right.group,
            namespace=namespace if right.namespaced else None,
            subresource=subresource,
            account=account,
        )

    answers = side_by_side(*(partial(allowed, right) for right in wanted))
    return [right for right, answer in zip(wanted, answers, strict=True) if not answer]


def _rights(parts: Sequence[str]) -> Iterator[Right]:
    document = load_yaml("kubernetes/permissions.yaml")
    for part in parts:
        for where, rules in document[part].items():
            for rule in rules:
                for group in rule["groups"]:
                    for resource in rule["resources"]:
                        for verb in rule["verbs"]:
                            yield Right(group, resource, verb, where == "namespaced")
