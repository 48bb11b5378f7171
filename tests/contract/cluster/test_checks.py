"""The cluster's checks against the stand-in."""

from __future__ import annotations

from functools import partial
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.names import OPERATOR_RELEASE
from anyscale_k8s_cli.checks import Finding, Status, declared
from anyscale_k8s_cli.checks.cluster import (
    capacity,
    cluster_checks,
    more_may_come,
    pod_security,
    pull_secrets,
    reachable,
    rights,
    version,
)
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.pins import KubernetesRange
from anyscale_k8s_cli.cluster.rollouts import wait_all
from anyscale_k8s_cli.pod_words import as_toleration
from anyscale_k8s_cli.provider import Cluster, NodePool
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.spec import CloudSpec

SPEC = CloudSpec(provider="eks", name="prod", namespace="ray")


def test_reachable_tells_who_is_asking(world: Any) -> None:
    finding = reachable(world.kubernetes)
    assert finding.status is Status.PASS
    assert finding.detail == f"{world.standin.url}, as admin"


def test_a_stranger_is_told_how_to_be_let_in(world: Any) -> None:
    finding = reachable(Kubernetes(world.access("unknown"), world.run))
    assert finding.status is Status.FAIL
    assert finding.fix == "grant-access --to someone"


def test_rights_of_an_administrator_are_one_question(world: Any) -> None:
    before = len(world.wire.calls())
    assert rights(world.kubernetes, "ray").status is Status.PASS
    assert len(world.wire.calls()) == before + 1


def test_missing_rights_are_named_with_the_command(world: Any) -> None:
    finding = rights(Kubernetes(world.access(world.nobody), world.run), "ray", provider="eks")
    assert finding.status is Status.FAIL
    verbs = "bind, create, escalate, get, patch"
    assert f"not allowed: {verbs} clusterroles.rbac.authorization.k8s.io" in finding.evidence
    first, second, *rest = finding.fix.splitlines()
    assert first.startswith(
        "anyscale cloud permissions --provider eks --scope cluster --verb setup | kubectl "
    )
    role = "anyscale-k8s-setup"
    assert second.endswith(f"create clusterrolebinding {role} --clusterrole={role} --user=nobody")
    assert "then run the same command again" in rest[-1]


def test_a_version_that_is_too_old_fails_and_a_newer_one_is_a_warning() -> None:
    tested = KubernetesRange(minimum="1.30", newest="1.35")
    assert version("1.33.2-eks-abc", tested).status is Status.PASS
    assert version("1.29", tested).status is Status.FAIL
    assert version("1.36", tested).status is Status.WARN
    assert version("nonsense", tested).status is Status.UNKNOWN


def test_pod_security(world: Any) -> None:
    assert pod_security(world.kubernetes, "ray").status is Status.PASS
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    world.kubernetes.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ray", "labels": labels}}
    )
    finding = pod_security(world.kubernetes, "ray")
    assert finding.status is Status.FAIL
    assert "label namespace ray" in finding.fix
    world.kubernetes.patch_merge(
        Reference("v1", "Namespace", "ray"),
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "anyscale-k8s-cli"}}},
    )
    assert pod_security(world.kubernetes, "ray").status is Status.PASS


def test_capacity(world: Any) -> None:
    nodes = world.kubernetes.list("v1", "Node")
    assert capacity(world.kubernetes, SPEC, nodes).status is Status.PASS
    assert capacity(world.kubernetes, SPEC, []).status is Status.UNKNOWN
    small = node("small", allocatable={"cpu": "1", "memory": "8Gi"})
    assert capacity(world.kubernetes, SPEC, [small]).status is Status.WARN
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    tainted = node("tainted", taints=[taint])
    assert capacity(world.kubernetes, SPEC, [tainted]).status is Status.WARN
    tolerant = SPEC.model_copy(
        update={
            "operator": SPEC.operator.model_copy(
                update={"values": {"operator": {"tolerations": [{"operator": "Exists"}]}}}
            )
        }
    )
    assert capacity(world.kubernetes, tolerant, [tainted]).status is Status.PASS


def test_that_no_node_takes_the_operator_is_a_failure_where_no_more_will_come(world: Any) -> None:
    tainted = node("tainted", taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])

    def found(nodes_of_pool: int) -> Status:
        pools = (NodePool("cpu", size=nodes_of_pool),)
        access = world.access()
        cluster = Cluster("one", "one", "1", "eu-west-1", "1.33", access, node_pools=pools)
        more = partial(more_may_come, world.kubernetes, cluster)
        return capacity(world.kubernetes, SPEC, [tainted], more).status

    assert found(2) is Status.FAIL
    assert found(0) is Status.WARN
    autoscaler = {"name": "cluster-autoscaler-status", "namespace": "kube-system"}
    world.kubernetes.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": autoscaler})
    assert found(2) is Status.WARN


def test_the_operators_own_values_say_how_much_it_takes(world: Any) -> None:
    small = node("small", allocatable={"cpu": "1", "memory": "8Gi"})

    def found(**requests: Any) -> Any:
        container = {"resources": {"requests": requests}}
        operator = {"values": {"operator": {"container": container}}}
        spec = CloudSpec(provider="eks", name="prod", namespace="ray", operator=operator)
        return capacity(world.kubernetes, spec, [small])

    assert found(cpu="500m").status is Status.PASS
    assert found(cpu="3", memory="1536Mi").detail.startswith("no node has 3.1 CPU and 2Gi free")


def test_only_nodes_that_take_the_operator_have_room_for_it(world: Any) -> None:
    taint = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
    nodes = [
        node("other", taints=[taint]),
        node("ml", labels={"pool": "ml"}, taints=[taint]),
        node("ml-2", labels={"pool": "ml"}, allocatable={"cpu": "1", "memory": "1Gi"}),
    ]

    def found(**pods: Any) -> Any:
        spec = CloudSpec(provider="eks", name="prod", namespace="ray", pods=pods)
        return capacity(world.kubernetes, spec, nodes)

    placed = found(node_selector={"pool": "ml"}, tolerations=("dedicated=ml:NoSchedule",))
    assert placed.status is Status.PASS
    assert placed.detail == "on ml"
    full = found(node_selector={"pool": "ml"})
    assert full.status is Status.WARN
    assert full.detail.startswith("no node has 1.1 CPU")
    nowhere = found(node_selector={"pool": "gpu"}, tolerations=("dedicated",))
    assert nowhere.evidence[0] == "other: it has no label pool=gpu"
    assert found(tolerations=("dedicated=it",)).evidence == ()
    only = CloudSpec(provider="eks", name="prod", namespace="ray")
    assert capacity(world.kubernetes, only, nodes[:1]).evidence == (
        "other: it has the taint dedicated=ml:NoSchedule",
    )


def test_what_rules_nodes_out_is_told_with_their_number_and_the_options_that_open_them(
    world: Any,
) -> None:
    taint = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
    nodes = [
        node("a", taints=[taint]),
        node("b", labels={"pool": "ml"}, taints=[taint]),
        node("c"),
    ]
    spec = CloudSpec(provider="eks", name="prod", pods={"node_selector": {"pool": "ml"}})
    finding = capacity(world.kubernetes, spec, nodes)
    assert finding.detail == (
        "none of 3 nodes takes the operator; they are ruled out by the selector pool=ml (2 of 3), "
        "the taint dedicated=ml:NoSchedule (2 of 3)"
    )
    assert finding.fix == "say that the pods tolerate it: --toleration dedicated=ml:NoSchedule"
    spec = CloudSpec(provider="eks", name="prod", pods={"node_selector": {"pool": "gpu"}})
    finding = capacity(world.kubernetes, spec, nodes[2:])
    assert finding.detail.endswith("ruled out by the selector pool=gpu (1 of 1)")
    assert finding.fix.endswith("with --node-selector, instead of pool=gpu")


def test_of_taints_the_fewest_are_to_be_tolerated_and_none_of_the_control_plane(world: Any) -> None:
    team = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
    gpu = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    control = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    nodes = [
        node("control", taints=[control]),
        node("gpu", taints=[gpu]),
        node("both", taints=[gpu, team]),
        node("a", taints=[team]),
        node("b", taints=[team]),
    ]
    spec = CloudSpec(provider="eks", name="prod")
    assert capacity(world.kubernetes, spec, nodes).fix.splitlines() == [
        "say that the pods tolerate it: --toleration dedicated=ml:NoSchedule",
        "or, for other nodes: --toleration nvidia.com/gpu=present:NoSchedule",
    ]
    assert "--toleration dedicated=ml:NoSchedule --toleration nvidia" in (
        capacity(world.kubernetes, spec, nodes[2:3]).fix
    )
    assert "control-plane" in capacity(world.kubernetes, spec, nodes[:1]).fix


def late(where: Reference, seen: str) -> errors.CliError:
    return errors.CliError(errors.TIMED_OUT, f"{where}: {seen}")


def test_an_operator_that_is_there_is_looked_at_where_it_would_be_placed_otherwise(
    world: Any,
) -> None:
    taint = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
    nodes = [node("ml", taints=[taint])]
    tolerations = ("dedicated=ml:NoSchedule",)
    placed = {"tolerations": [as_toleration(item) for item in tolerations]}
    labels = {"app": "operator"}
    pod = {"containers": [{"name": "operator", "image": "operator:1"}], **placed}
    world.kubernetes.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ray"}})
    world.kubernetes.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": OPERATOR_RELEASE, "namespace": "ray"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }
    )
    operator = Reference("apps/v1", "Deployment", OPERATOR_RELEASE, "ray")
    wait_all(world.kubernetes, [operator], timeout=30, expired=late)

    def found(**pods: Any) -> Any:
        spec = CloudSpec(provider="eks", name="prod", namespace="ray", pods=pods)
        return capacity(world.kubernetes, spec, nodes, lambda: False)

    assert found(tolerations=tolerations).detail == "the operator is there already"
    dropped = found()
    assert dropped.status is Status.FAIL
    assert "--toleration dedicated=ml:NoSchedule" in dropped.fix
    assert found(tolerations=("dedicated",)).detail == "it is there, and ml takes it"


def test_pull_secrets_are_there_in_each_namespace_and_of_their_kind(world: Any) -> None:
    def found() -> Any:
        return pull_secrets(world.kubernetes, ("mirror",), lambda: ("ray", "default"))

    def make(namespace: str, kind: str) -> None:
        metadata = {"name": "mirror", "namespace": namespace}
        data = {".dockerconfigjson": "e30="}
        manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
        world.kubernetes.create({**manifest, "type": kind})

    make("default", "Opaque")
    lacking = found()
    assert declared.IMAGE_PULL_SECRETS.bind(found).run() == lacking
    assert lacking.status is Status.FAIL
    assert lacking.detail.endswith("ray/mirror, default/mirror")
    assert [line.partition(" create ")[2].split(" -n ")[0] for line in lacking.fix.split("\n")] == [
        "namespace ray",
        "secret generic mirror",
        "secret generic mirror",
    ]
    world.kubernetes.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ray"}})
    make("ray", "kubernetes.io/dockerconfigjson")
    world.kubernetes.delete(Reference("v1", "Secret", "mirror", "default"))
    make("default", "kubernetes.io/dockerconfigjson")
    assert found().status is Status.PASS


def test_what_runs_there_counts(world: Any) -> None:
    (only,) = world.kubernetes.list("v1", "Node")
    world.kubernetes.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "hog", "namespace": "default"},
            "spec": {
                "nodeName": only["metadata"]["name"],
                "containers": [
                    {"name": "hog", "image": "hog", "resources": {"requests": {"cpu": "7500m"}}}
                ],
            },
        }
    )
    assert capacity(world.kubernetes, SPEC, [only]).status is Status.WARN


def test_types_of_the_chart_that_taints_keep_out_are_told_before_anything_is_installed(
    world: Any,
) -> None:
    cluster = Cluster("one", "cluster/one", "1", "eu-west-1", "1.33", world.access())
    taint = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
    nodes = [{**item, "spec": {"taints": [taint]}} for item in world.kubernetes.list("v1", "Node")]

    def fit(chosen: str) -> list[Finding]:
        spec = SPEC.model_copy(update={"instance_types": chosen})
        bound = cluster_checks(spec, cluster, world.kubernetes, nodes)
        return [item.run() for item in bound if item.code == "instance-types-fit"]

    [told] = fit("default")
    assert told.status is Status.WARN
    assert "a toleration of dedicated=ml:NoSchedule" in told.detail
    assert "--instance-types auto" in told.fix
    assert fit("auto") == []


def test_a_cluster_without_faults_passes_them_all(world: Any) -> None:
    cluster = Cluster("one", "cluster/one", "1", "eu-west-1", "1.33", world.access())
    nodes = world.kubernetes.list("v1", "Node")

    found = {
        bound.code: bound.run().status
        for bound in cluster_checks(SPEC, cluster, world.kubernetes, nodes)
    }

    assert found == dict.fromkeys(
        (
            *("cluster-reachable", "cluster-version", "cluster-rights"),
            *("namespace-pod-security", "operator-capacity"),
        ),
        Status.PASS,
    )
