"""Pods that work as Ray's do: where they go, what keeps them from it, and that nothing stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.pod_probe import PodProbe, Question
from anyscale_k8s_cli.checks import Finding, Status, run_checks
from anyscale_k8s_cli.checks.functional import Site, functional_checks
from anyscale_k8s_cli.checks.nodes import Machines
from anyscale_k8s_cli.cloud_side import Storage, WorkloadEndpoints
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.objects import Surroundings
from anyscale_k8s_cli.provider import Cluster, NodePool
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.workloads.python_image import PythonImage
from tests.probing import AGAIN, INSTALL, administrator

from .conftest import REGION, Install, World, eventually

NAMESPACE = INSTALL.namespace
PRODUCT = "nvidia.com/gpu.product"
MACHINE = "node.kubernetes.io/instance-type"
TYPES = """
2CPU-8GB: {resources: {CPU: 2, memory: 8Gi}}
1CPU-2GB: {resources: {CPU: 1, memory: 2Gi}, tolerations: [{key: team, operator: Exists}]}
8CPU-32GB-1xT4:
  resources: {CPU: 64, GPU: 1, memory: 320Gi, accelerators: [T4]}
  tolerations: [{key: nvidia.com/gpu, operator: Exists}]
"""
AZURE = {"global": {"cloudProvider": "azure"}}
AWS = {"global": {"cloudProvider": "aws"}}
TABLE = {
    "workloads": {
        "accelerator": {
            "customNodeSelectorKey": PRODUCT,
            "nodeSelectors": {"additional": {"T4": "Tesla-T4", "A10G": "NVIDIA-A10G"}},
        }
    }
}
T4 = {PRODUCT: "Tesla-T4", MACHINE: "g4dn.xlarge"}
TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


@dataclass
class Plain:
    """A cluster in which the operator has nothing but its table of instance types."""

    cluster: KubernetesStandIn
    pods: dict[str, Document] = field(default_factory=dict)

    @property
    def store(self) -> Any:
        return self.cluster.store

    def create(self, resource: str, manifest: Document, namespace: str = NAMESPACE) -> None:
        if namespace:
            manifest = {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
        self.store.create(resource, manifest, write=Write(with_status=True))

    def add_node(self, name: str, labels: Mapping[str, str], gpus: int = 1) -> None:
        made = node(name, labels=labels, taints=[TAINT], allocatable={"nvidia.com/gpu": str(gpus)})
        self.create("nodes", made, namespace="")

    def pod(self, name: str) -> Document:
        """The one that was made for a Job of this name."""
        (found,) = (
            item
            for item in self.pods.values()
            if item["metadata"]["labels"].get("batch.kubernetes.io/job-name") == name
        )
        return found

    async def ask(
        self,
        code: str,
        values: Mapping[str, Any] = AZURE,
        *,
        run: Run | None = None,
        question: Question | None = None,
        **changes: Any,
    ) -> Finding:
        pools: tuple[NodePool, ...] = changes.pop("pools", ())
        scale_up = changes.pop("scale_up", False)
        settings: dict[str, Any] = {"cloud_side": None, "seconds": 30.0, **changes}
        kubernetes = Kubernetes(administrator(self.cluster).access, run or Run())
        probe = PodProbe(kubernetes, INSTALL, **settings)
        cluster = Cluster("plain", "plain", "", "", "1.33", kubernetes.access, node_pools=pools)
        nodes = list(self.store.items("nodes"))
        machines = Machines(kubernetes, cluster, nodes, NAMESPACE, values)
        site = Site(probe, machines, AGAIN, scale_up)
        checks = functional_checks(site, lambda: question or Question())
        wanted = [check for check in checks if check.code == code]
        (result,) = (
            await asyncio.to_thread(lambda: asyncio.run(run_checks(wanted, Run())))
        ).results
        return result.finding

    def left(self) -> list[str]:
        return [
            f"{kind}/{item['metadata']['name']}"
            for kind in ("jobs.batch", "configmaps", "pods")
            for item in self.store.items(kind, NAMESPACE)
            if item["metadata"]["name"].startswith("anyscale-k8s-")
        ]


@pytest.fixture
async def plain() -> AsyncIterator[Plain]:
    authority = Authority()
    cluster = KubernetesStandIn(
        Wire(),
        authority,
        name="plain",
        service_account_issuer="https://issuer.invalid",
        workloads=[PythonImage(authority)],
        pace=0.01,
    )
    await cluster.start()
    made = Plain(cluster)
    made.create("namespaces", {"metadata": {"name": NAMESPACE}}, namespace="")
    made.create("serviceaccounts", {"metadata": {"name": "anyscale-operator"}})
    labels = {"anyscale.com/name": "instance-types"}
    table = {"metadata": {"name": "instance-types", "labels": labels}}
    made.create("configmaps", {**table, "data": {"instance_types.yaml": TYPES}})
    cluster.store.subscribe(
        lambda event: (
            made.pods.update({event.object["metadata"]["uid"]: event.object})
            if event.key == "pods"
            else None
        )
    )
    try:
        yield made
    finally:
        await cluster.stop()


async def test_a_pod_of_the_smallest_type_computes_and_nothing_stays(plain: Plain) -> None:
    found = await plain.ask("functional-job")

    assert found.status is Status.PASS, found
    assert found.detail.startswith("a pod of instance type 1CPU-2GB computed on plain-node-1 for ")
    spec = plain.pod("anyscale-k8s-functional")["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}
    tolerated = {(item["key"], item.get("value")) for item in spec["tolerations"]}
    assert tolerated >= {
        ("team", None),
        ("node.anyscale.com/capacity-type", "ON_DEMAND"),
        ("kubernetes.azure.com/scalesetpriority", "spot"),
    }
    assert spec["serviceAccountName"] == "anyscale-operator"
    await eventually(lambda: plain.left() == [])


async def test_its_result_is_in_the_bucket_as_the_workloads_role_puts_it(
    operators: World, install: Install
) -> None:
    """What it computed is what is written and read back, on a node of either market."""
    (only,) = operators.store.items("nodes")
    labels = {**only["metadata"]["labels"], "eks.amazonaws.com/capacityType": "SPOT"}
    operators.store.update("nodes", {**only, "metadata": {**only["metadata"], "labels": labels}})
    places = WorkloadEndpoints("https://s3.invalid", "https://sts.invalid")
    bucket = Question(Storage(f"s3://{install.bucket}", REGION), places)
    cluster = Plain(operators.kubernetes)

    found = await cluster.ask("functional-job", AWS, question=bucket)

    assert found.status is Status.PASS, found
    assert "put, get, list, multipart, delete, by web identity" in found.detail
    await asyncio.to_thread(install.grant, "s3:ListBucket")
    refused = await cluster.ask("functional-job", AWS, question=bucket)
    assert refused.status is Status.FAIL
    assert f"pods may not put in s3://{install.bucket}" in refused.detail
    assert refused.fix == AGAIN


def full(plain: Plain) -> None:
    quota = {"metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}}
    plain.create("resourcequotas", quota)


def tainted(plain: Plain) -> None:
    change_node(plain, {"taints": [{"key": "mine", "value": "yes", "effect": "NoSchedule"}]})


def cordoned(plain: Plain) -> None:
    change_node(plain, {"unschedulable": True})


def too_small(plain: Plain) -> None:
    table = plain.store.find("configmaps", NAMESPACE, "instance-types")
    data = {"instance_types.yaml": "16CPU: {resources: {CPU: 16, memory: 8Gi}}"}
    plain.store.update("configmaps", {**table, "data": data})


def without_account(plain: Plain) -> None:
    plain.store.delete("serviceaccounts", NAMESPACE, "anyscale-operator")


def guarded(plain: Plain) -> None:
    """By a webhook that must agree, and that nobody answers for."""
    group = "admissionregistration.k8s.io"
    service = {"name": "guard", "namespace": NAMESPACE}
    rule = {
        "apiGroups": ["batch"],
        "apiVersions": ["v1"],
        "resources": ["jobs"],
        "operations": ["CREATE"],
    }
    hook = {
        "name": "guard.example.com",
        "clientConfig": {"service": service},
        "rules": [rule],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    made = {"metadata": {"name": "guard"}, "webhooks": [hook]}
    plain.create(f"validatingwebhookconfigurations.{group}", made, namespace="")


def nothing(_: Plain) -> None:
    """The node has none of the labels that pods of the chart's ask for on AWS."""


def change_node(plain: Plain, spec: Document) -> None:
    (only,) = plain.store.items("nodes")
    plain.store.update("nodes", {**only, "spec": {**only["spec"], **spec}})


@pytest.mark.parametrize(
    ("hurdle", "values", "cause", "fix"),
    [
        (full, AZURE, "exceeded quota: full", "describe resourcequota"),
        (without_account, AZURE, 'serviceaccount "anyscale-operator" not found', AGAIN),
        (guarded, AZURE, "the webhook guard.example.com, which must agree", "let the webhook"),
        (tainted, AZURE, "untolerated taint {mine: yes}", "--instance-types auto"),
        (cordoned, AZURE, "1 node(s) were unschedulable", "kubectl uncordon NODE"),
        (too_small, AZURE, "Insufficient cpu", "add nodes with room for it"),
        (nothing, AWS, "didn't match", "eks.amazonaws.com/capacityType In ON_DEMAND|SPOT"),
    ],
)
async def test_what_keeps_it_from_its_work_is_told_with_what_mends_it(
    plain: Plain, hurdle: Any, values: Mapping[str, Any], cause: str, fix: str
) -> None:
    hurdle(plain)

    found = await plain.ask("functional-job", values, seconds=1.0)

    assert found.status is Status.FAIL, found
    assert cause in found.detail
    assert fix in found.fix
    await eventually(lambda: plain.left() == [])


async def test_an_image_of_the_tools_own_tells_nothing_of_workloads(plain: Plain) -> None:
    found = await plain.ask("functional-job", image="registry.invalid/no-such-image/python:3")

    assert found.status is Status.UNKNOWN
    assert "--probe-image" in found.fix
    await eventually(lambda: plain.left() == [])


async def test_an_interruption_leaves_nothing_behind(plain: Plain) -> None:
    cordoned(plain)
    run = Run()
    asked = asyncio.create_task(plain.ask("functional-job", run=run))
    await eventually(lambda: any(item.startswith("pods/") for item in plain.left()))

    run.stop()

    with pytest.raises(errors.CliError) as ended:
        await asked
    assert ended.value.code is errors.INTERRUPTED
    await eventually(lambda: plain.left() == [])


async def test_what_a_killed_run_has_left_is_removed_by_the_next(plain: Plain) -> None:
    kubernetes = administrator(plain.cluster)
    metadata = {"name": "anyscale-k8s-functional", "namespace": NAMESPACE}
    left = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"old": "yes"}}
    marked = Surroundings(kubernetes, INSTALL).marked(left)
    await asyncio.to_thread(kubernetes.create, marked)

    found = await plain.ask("functional-job")

    assert found.status is Status.PASS, found
    await eventually(lambda: plain.left() == [])


# -- accelerators ---------------------------------------------------------------------


async def test_a_pod_for_each_kind_of_accelerator_sees_it(plain: Plain) -> None:
    """By the label of the operator's table, with the tolerations of the type that names it."""
    plain.add_node("gpu-1", T4)
    pools = (
        NodePool("big", labels={PRODUCT: "NVIDIA-A10G"}, gpu=True),
        NodePool("unlabelled", gpu=True),
        NodePool("there", labels=T4, gpu=True, size=1),
    )

    found = await plain.ask("functional-gpu", TABLE, pools=pools)

    assert found.status is Status.PASS, found
    assert found.detail == (
        "T4: Tesla T4 on gpu-1; not tried: A10G of pool big, which has no node now (--scale-up "
        f"tries it); not tried: pool unlabelled, which has no node now and tells no {PRODUCT} of "
        "those that may come"
    )
    assert found.evidence == ("T4 on gpu-1: Tesla T4: 15360 MiB, 570.133.20",)
    spec = plain.pod("anyscale-k8s-functional-gpu")["spec"]
    assert spec["nodeSelector"] == {PRODUCT: "Tesla-T4"}
    limits = spec["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "500m", "memory": "256Mi", "nvidia.com/gpu": "1"}
    await eventually(lambda: plain.left() == [])


async def test_one_that_is_called_otherwise_than_its_label_is_a_warning(plain: Plain) -> None:
    plain.add_node("gpu-1", {**T4, MACHINE: "g5.xlarge"})

    found = await plain.ask("functional-gpu", TABLE)

    assert found.status is Status.WARN, found
    assert found.detail == "gpu-1 is labelled Tesla-T4, and its GPU is a NVIDIA A10G"


async def test_gpus_that_others_use_are_told_as_such_and_a_shut_node_fails(plain: Plain) -> None:
    plain.add_node("gpu-1", T4)
    amounts = {"nvidia.com/gpu": "1"}
    busy = {
        "name": "busy",
        "image": "busy",
        "resources": {"requests": amounts, "limits": amounts},
    }
    spec = {
        "serviceAccountName": "anyscale-operator",
        "containers": [busy],
        "tolerations": [{"operator": "Exists"}],
    }
    plain.create("pods", {"metadata": {"name": "training"}, "spec": spec})
    await eventually(
        lambda: plain.store.find("pods", NAMESPACE, "training")["spec"].get("nodeName")
    )
    plain.add_node("gpu-2", {PRODUCT: "NVIDIA-A10G"})

    found = await plain.ask("functional-gpu", TABLE, seconds=1.0)

    assert found.status is Status.FAIL, found
    assert found.detail.startswith("a pod with a A10G cannot do its work")
    assert "untolerated taint {nvidia.com/gpu: present}" in found.detail
    assert any(line.startswith("unknown: a pod with a T4 cannot") for line in found.evidence)
    assert any("Insufficient nvidia.com/gpu" in line for line in found.evidence)


async def test_without_accelerators_nothing_is_proven(plain: Plain) -> None:
    assert (await plain.ask("functional-gpu", TABLE)).status is Status.UNKNOWN
    plain.add_node("gpu-1", {PRODUCT: "Strange-One"})

    found = await plain.ask("functional-gpu", TABLE)

    assert found.status is Status.UNKNOWN
    assert found.detail == (
        f"not tried: node gpu-1 has no {PRODUCT} that is in the operator's table"
    )
    assert found.fix == f"{AGAIN} --instance-types auto"


async def test_a_pool_without_nodes_is_waited_for_if_that_is_wanted(plain: Plain) -> None:
    pool = NodePool("big", labels=T4, gpu=True)
    asked = asyncio.create_task(plain.ask("functional-gpu", TABLE, pools=(pool,), scale_up=True))
    await eventually(lambda: any(item.startswith("pods/") for item in plain.left()))

    plain.add_node("gpu-new", T4)

    found = await asked
    assert found.status is Status.PASS, found
    assert found.detail == "T4: Tesla T4 on gpu-new"
