"""The printed ClusterRoles with rights taken out of them: the API server's answer names each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.checks.cluster import rights as ask
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.objects import KubernetesObject
from anyscale_k8s_cli.cluster.rights import Right, cluster_role, rights
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.operations.refusals import whole
from anyscale_k8s_cli.operations.removal_rights import in_cluster
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.resource import Change, Decision, Ownership
from anyscale_k8s_cli.spec import CloudSpec
from tests.processes import eventually

from .conftest import install_of

RBAC = "rbac.authorization.k8s.io"


def kind_of(right: Right) -> tuple[str, str]:
    return right.group, right.resource


def taken_by_turns(wanted: Sequence[Right]) -> Iterator[set[Right]]:
    """Each right once, and of each kind one at a time: rules for a kind say nothing of others."""
    kinds = [list(found) for _, found in groupby(sorted(wanted), key=kind_of)]
    for turn in range(max(map(len, kinds))):
        yield {found[turn] for found in kinds if turn < len(found)}


def give(kubernetes: Kubernetes, rules: Sequence[Document]) -> None:
    """From now on somebody has these rights and no others."""
    metadata = {"name": "deputy"}
    for kind in ("ClusterRoleBinding", "ClusterRole"):
        kubernetes.delete(Reference(f"{RBAC}/v1", kind, "deputy"))
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": metadata}
    kubernetes.create({**role, "rules": list(rules)})
    kubernetes.create(
        {
            **role,
            "kind": "ClusterRoleBinding",
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "deputy"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "nobody"}],
        }
    )


def less(verb: Verb, taken: set[Right]) -> list[Document]:
    """The printed role without some rights."""
    printed: list[Document] = cluster_role("deputy", verb.cluster_parts)["rules"]
    out = {(right.group, right.resource, right.verb) for right in taken}
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": left}
        for rule in printed
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if (left := [word for word in rule["verbs"] if (group, resource, word) not in out])
    ]


@pytest.mark.parametrize("verb", [Verb.SETUP, Verb.VERIFY, Verb.DELETE])
def test_each_right_that_is_taken_away_is_named(world: Any, verb: Verb) -> None:
    deputy = Kubernetes(world.access(world.nobody), world.run)
    wanted = rights(verb.cluster_parts)
    give(world.kubernetes, less(verb, set()))
    assert ask(deputy, "ray", verb).status is Status.PASS
    asked: set[Right] = set()
    for taken in taken_by_turns(wanted):
        give(world.kubernetes, less(verb, taken))
        before = len(world.wire.calls())
        finding = ask(deputy, "ray", verb, "gke")
        written = [call for call in world.wire.calls()[before:] if call.operation.write]
        assert not written
        assert finding.status is Status.FAIL
        assert set(finding.evidence) == {f"not allowed: {right}" for right in taken}
        assert "--user=nobody" in finding.fix
        assert f"--scope cluster --verb {verb.value} | kubectl" in finding.fix
        asked |= taken
    assert asked == set(wanted)


def test_a_deletion_is_refused_for_what_goes_and_warned_of_the_rest(world: Any) -> None:
    deputy = Kubernetes(world.access(world.nobody), world.run)
    reference = Reference(f"{RBAC}/v1", "RoleBinding", "prod", "ray")
    role = KubernetesObject(world.surroundings(), reference, dict)
    going = [PlannedChange(role, Decision(Change.DELETE, "", Ownership.OURS), None)]
    ours = Right(RBAC, "rolebindings", "delete")
    others = Right("gateway.networking.k8s.io", "gateways", "delete")

    def told(*taken: Right) -> errors.CliError | None:
        give(world.kubernetes, less(Verb.DELETE, set(taken)))
        world.events.clear()
        return in_cluster(deputy, "eks", install_of("prod"), going, world.run)

    assert told() is None
    assert not [event for event in world.events if isinstance(event, Notice)]
    found = told(ours, others)
    assert found is not None
    assert found.code is errors.CLUSTER_FORBIDDEN
    assert set(found.evidence) == {f"not allowed: {item}" for item in (ours, others)}
    assert told(others) is None
    (notice,) = [event for event in world.events if isinstance(event, Notice)]
    assert str(others) in notice.text
    # What is not in the cluster any more needs nothing there.
    assert in_cluster(deputy, "eks", install_of("prod"), (), world.run) is None


def test_a_right_is_about_a_kind_as_it_is_served(world: Any) -> None:
    """Nobody can tell from `Gateway` how many of them are called."""
    group = "gateway.networking.k8s.io"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    world.kubernetes.create(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"gateways.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": "gateways", "singular": "gateway", "kind": "Gateway"},
                "versions": [version],
            },
        }
    )
    deputy = Kubernetes(world.access(world.nobody), world.run)
    eventually(lambda: deputy.plural(f"{group}/v1", "Gateway") == "gateways")
    reference = Reference(f"{group}/v1", "Gateway", "gateway", "ray")
    gateway = KubernetesObject(world.surroundings(), reference, dict)
    going = [PlannedChange(gateway, Decision(Change.DELETE, "", Ownership.OURS), None)]
    right = Right(group, "gateways", "delete")
    give(world.kubernetes, less(Verb.DELETE, {right}))
    found = in_cluster(deputy, "eks", install_of("prod"), going, world.run)
    assert found is not None
    assert found.evidence == (f"not allowed: {right}",)


def test_a_first_refusal_tells_of_all_rights_that_are_missing(world: Any) -> None:
    """With what an administrator types for all of them; the next run meets no other."""
    spec = CloudSpec(provider="gke", name="prod", namespace="ray")
    deputy = Kubernetes(replace(world.access(world.nobody), platform="gke"), world.run)
    taken = {right for right in rights(Verb.SETUP.cluster_parts) if right.resource == "nodes"}
    taken |= {Right("", "configmaps", "get"), Right("", "configmaps", "patch")}
    give(world.kubernetes, less(Verb.SETUP, taken))

    with pytest.raises(errors.CliError) as raised:
        deputy.list("v1", "Node")
    assert "permissions --scope cluster --provider gke)" in raised.value.fix
    told = whole(raised.value, deputy, spec, Verb.SETUP)
    assert told.code is errors.CLUSTER_FORBIDDEN
    assert told.cause == raised.value.cause
    assert "not allowed: get, patch configmaps" in told.evidence
    assert len(told.evidence) == 2
    assert "--provider gke --scope cluster --verb setup | kubectl" in told.fix
    assert told.fix.endswith("then run the same command again")

    give(world.kubernetes, less(Verb.SETUP, set()))
    assert whole(raised.value, deputy, spec, Verb.SETUP) is raised.value
    other = errors.CliError(errors.CLUSTER_UNREACHABLE, "elsewhere")
    assert whole(other, deputy, spec, Verb.SETUP) is other
