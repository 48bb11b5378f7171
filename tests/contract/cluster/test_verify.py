"""The checks of a cloud that is there, against the stand-in: each finds its own fault."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli.addons.gpu import GpuPool
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.checks.nodes import Machines, labelled, offered, table, types_fit
from anyscale_k8s_cli.checks.operator import holds, rights, versions, webhook
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod

from .site import Plane

NAMESPACE = "ray"
TYPES = {"anyscale.com/name": "instance-types"}
AGAIN = "anyscale cloud setup --name prod"
ROLE = "arn:aws:iam::111122223333:role/anyscale-k8s/prod/operator"


def failed(finding: Finding, *said: str, fix: str = AGAIN) -> None:
    assert finding.status is Status.FAIL
    for text in said:
        assert text in finding.detail
    assert fix in finding.fix


@pytest.fixture
def place(world: Any) -> Any:
    """A world with the operator's namespace."""
    return with_namespace(world)


def with_namespace(world: Any) -> Any:
    made(world, "v1", "Namespace", {"name": NAMESPACE})
    accounts = ("serviceaccounts", NAMESPACE, "default")
    world.do(world.standin.until(lambda: world.standin.store.find(*accounts) is not None))
    return world


def made(world: Any, api: str, kind: str, metadata: Document, **more: Any) -> None:
    world.kubernetes.create({"apiVersion": api, "kind": kind, "metadata": metadata, **more})


# -- who the operator is -----------------------------------------------------------------


class Operator:
    """An operator that tells of itself as `config` says."""

    def __init__(self) -> None:
        self.config: Mapping[str, Any] = {"iamIdentity": ROLE}

    def matches(self, image: str) -> bool:
        return "kubernetes_manager" in image

    async def run(self, pod: Pod) -> int:
        async def page(path: str) -> tuple[int, Any]:
            return (200, self.config) if path == "/config" else (404, {})

        pod.serve(2113, page)
        await pod.set_ready(True)
        await asyncio.get_running_loop().create_future()
        return 0


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        ({"iamIdentity": ROLE}, Status.PASS, ROLE),
        ({"iamIdentity": "node-role"}, Status.FAIL, f"is node-role; registered is {ROLE}"),
        ({"iamIdentity": ""}, Status.FAIL, "holds no identity"),
        ({}, Status.FAIL, "holds no identity"),
    ],
)
def test_the_operator_is_asked_who_it_is(
    make_world: Any, told: Mapping[str, Any], status: Status, said: str
) -> None:
    operator = Operator()
    operator.config = told
    world = with_namespace(make_world(workloads=(operator,)))
    asked = lambda: holds(world.kubernetes, NAMESPACE, ROLE, str.__eq__, AGAIN)  # noqa: E731
    assert asked().status is Status.UNKNOWN
    container = {"name": "operator", "image": "kubernetes_manager:1"}
    labels = {"app": "anyscale-operator"}
    made(
        world,
        "v1",
        "Pod",
        {"name": "op", "namespace": NAMESPACE, "labels": labels},
        spec={"containers": [container]},
    )
    world.do(world.standin.until(lambda: ready(world)))

    finding = asked()

    assert finding.status is status
    assert said in finding.detail
    if status is Status.FAIL:
        assert "rollout restart deployment anyscale-operator" in finding.fix
        assert AGAIN in finding.fix


def ready(world: Any) -> bool:
    pod = world.standin.store.find("pods", NAMESPACE, "op") or {}
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


# -- what the operator may do ------------------------------------------------------------

RULES: list[Document] = [
    {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "create"]}
]
RBAC = "rbac.authorization.k8s.io"


def record(**changes: Any) -> ReleaseRecord:
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": {"name": "anyscale-operator", "namespace": NAMESPACE},
        "rules": RULES,
    }
    whole = ReleaseRecord(
        name="anyscale-operator",
        namespace=NAMESPACE,
        revision=1,
        status="deployed",
        chart="anyscale-operator",
        chart_version="1.8.0",
        app_version="1",
        first_deployed="now",
        values={},
        labels={},
        manifest=json.dumps(role),
        hooks=(),
    )
    return replace(whole, **changes)


def bound(world: Any, rules: list[Document]) -> None:
    metadata = {"name": "anyscale-operator", "namespace": NAMESPACE}
    made(world, f"{RBAC}/v1", "Role", metadata, rules=rules)
    made(
        world,
        f"{RBAC}/v1",
        "RoleBinding",
        metadata,
        roleRef={"apiGroup": RBAC, "kind": "Role", "name": "anyscale-operator"},
        subjects=[{"kind": "ServiceAccount", "name": "anyscale-operator", "namespace": NAMESPACE}],
    )


def test_rights_are_asked_of_the_operators_own_account(place: Any) -> None:
    bound(place, RULES)

    assert rights(place.kubernetes, NAMESPACE, record()).detail == "4 rights"

    other = {"operator": {"serviceAccount": {"name": "someone"}}}
    failed(
        rights(place.kubernetes, NAMESPACE, record(values=other), AGAIN),
        "ServiceAccount ray/someone may not create pods, get pods, create secrets and more",
    )
    assert rights(place.kubernetes, NAMESPACE, None).status is Status.UNKNOWN


def test_a_right_that_was_taken_away_is_named(place: Any) -> None:
    fewer = copy.deepcopy(RULES)
    fewer[0]["resources"] = ["pods"]
    bound(place, fewer)

    finding = rights(place.kubernetes, NAMESPACE, record(), AGAIN)

    failed(finding, "may not create secrets, get secrets")
    assert finding.evidence == ("create secrets", "get secrets")


# -- the webhook ---------------------------------------------------------------------------


def hooked(world: Any, url: str) -> None:
    made(
        world,
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        {"name": f"anyscale-operator-{NAMESPACE}"},
        webhooks=[
            {
                "name": "types.anyscale.com",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {"url": url},
                "sideEffects": "None",
                "timeoutSeconds": 5,
                "objectSelector": {"matchLabels": TYPES},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "resources": ["configmaps"],
                        "operations": ["CREATE"],
                    }
                ],
            }
        ],
    )


def with_types(world: Any, types: str = "2CPU: {resources: {CPU: 2, memory: 8Gi}}") -> None:
    metadata = {"name": "instance-types", "namespace": NAMESPACE, "labels": TYPES}
    data = {"version": "v1", "instance_types.yaml": types}
    made(world, "v1", "ConfigMap", metadata, data=data)


def maps(world: Any) -> list[str]:
    found = world.kubernetes.list("v1", "ConfigMap", NAMESPACE, label_selector=selector())
    return [item["metadata"]["name"] for item in found]


def selector() -> str:
    return ",".join(f"{key}={value}" for key, value in TYPES.items())


def test_the_api_server_asks_the_webhook_and_nothing_is_written(place: Any) -> None:
    plane = Plane()
    plane.registered.add("cldrsrc_1")
    place.add(plane.start(), plane.stop)
    with_types(place)
    hooked(place, f"{plane.url}/api/v2/kubernetes_manager/admission/cldrsrc_1")

    assert webhook(place.kubernetes, NAMESPACE).status is Status.PASS
    assert maps(place) == ["instance-types"]

    plane.registered.clear()
    failed(webhook(place.kubernetes, NAMESPACE, AGAIN), "cldrsrc_1")


def test_a_webhook_that_is_out_of_reach_is_for_the_network(place: Any) -> None:
    failed(webhook(place.kubernetes, NAMESPACE, AGAIN), "there is no ValidatingWebhook")
    with_types(place)
    hooked(place, "http://127.0.0.1:9/admission")

    finding = webhook(place.kubernetes, NAMESPACE, AGAIN)

    failed(finding, "failed calling webhook", fix="API server (not its nodes)")


# -- nodes -----------------------------------------------------------------------------------

ANYWHERE = Cluster("demo", "demo", "", "", "1.33", ClusterAccess("", "", None))
POOL = GpuPool("gpu", 2, "node image", "", 0, True, {})


def with_gpu(**labels: str) -> Document:
    made_node = node("gpu-1", labels=labels)
    made_node["status"]["allocatable"]["nvidia.com/gpu"] = "1"
    return made_node


def test_gpus_that_nobody_offers() -> None:
    assert offered([]).detail == "no node has a GPU"
    assert offered([replace(POOL, allocatable=2)]).status is Status.PASS
    assert offered([replace(POOL, nodes=0)]).status is Status.PASS  # scaled to zero
    failed(offered([POOL], AGAIN), "no device plugin is there")
    owned = replace(POOL, plugin_owner="the node image")
    failed(offered([owned], AGAIN), "although the node image brings", fix="log of the plugin")
    both = replace(POOL, allocatable=2, plugin_owner="DaemonSet theirs/plugin", twice=True)
    failed(
        offered([both], AGAIN), "two device plugins serve", fix="remove that of DaemonSet theirs/"
    )


@pytest.mark.parametrize(
    ("values", "label", "status"),
    [
        ({"global": {"cloudProvider": "aws"}}, {"nvidia.com/gpu.product": "Tesla-T4"}, Status.PASS),
        ({"global": {"cloudProvider": "azure"}}, {"nvidia.com/gpu.product": "Tesla-T4"}, "warn"),
        ({"global": {"cloudProvider": "gcp"}}, {"nvidia.com/gpu.product": "Tesla-T4"}, "warn"),
        ({"global": {"cloudProvider": "generic"}}, {"nvidia.com/gpu.product": "T4"}, "warn"),
        ({"global": {"cloudProvider": "aws"}}, {}, Status.WARN),
    ],
)
def test_labels_are_compared_with_the_operators_table(
    values: Document, label: dict[str, str], status: str
) -> None:
    finding = labelled([node("cpu-1"), with_gpu(**label)], values, AGAIN)

    assert finding.status == status
    assert finding.evidence == (() if status == "pass" else ("gpu-1",))


def test_a_table_of_ones_own_counts() -> None:
    own = {"customNodeSelectorKey": "gpu", "nodeSelectors": {"additional": {"T4": "t4"}}}
    values = {"workloads": {"accelerator": own}}

    assert labelled([with_gpu(gpu="t4")], values).status is Status.PASS
    assert labelled([with_gpu(gpu="l4")], values).status is Status.WARN


def test_instance_types_as_they_are_offered_now(place: Any) -> None:
    nodes = place.kubernetes.list("v1", "Node")

    def ask() -> Finding:
        return types_fit(
            Machines(place.kubernetes, ANYWHERE, nodes, NAMESPACE, {}).types, nodes, {}
        )

    assert ask().status is Status.UNKNOWN
    missing = table(Machines(place.kubernetes, ANYWHERE, nodes, NAMESPACE, {}).types, AGAIN)
    failed(missing, "no table of instance types")
    with_types(place, "1CPU: {resources: {CPU: 1, memory: 1Gi}}\n99CPU: {resources: {CPU: 99}}")

    finding = ask()

    assert finding.status is Status.WARN
    assert "no node can satisfy 99CPU:" in finding.detail


# -- versions ---------------------------------------------------------------------------------


def test_versions_that_were_not_tested_together() -> None:
    whole = {"anyscale-operator": record(), "gateway-helm": record(chart_version="v1.7.0")}
    assert versions(whole).status is Status.PASS
    old = {**whole, "gateway-helm": record(chart_version="v1.2.0")}

    finding = versions(old, AGAIN)

    assert finding.status is Status.WARN
    assert finding.detail == "gateway-helm v1.2.0, tested with v1.7.0"
    assert finding.fix == f"{AGAIN} --upgrade"
    assert versions({}).status is Status.UNKNOWN
