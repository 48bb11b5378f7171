"""Everything that goes into a cluster, with real helm, the stand-in charts and their programs."""

from __future__ import annotations

import asyncio
import base64
import copy
import gzip
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import ClusterContext, ClusterSide, cluster_side
from anyscale_k8s_cli.addons.gateway_controller import CHART, NAMESPACE
from anyscale_k8s_cli.apply import backwards
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.release_records import newest
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.provider import CloudSide, Cluster, Identity, LoadBalancer, NodePool, Storage
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.resource import (
    Change,
    Decision,
    Observed,
    Ownership,
    Resource,
    SharedResource,
)
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.workloads.device_plugin import DevicePlugin
from anyscale_k8s_cli.sandbox.workloads.envoy_gateway import EnvoyGateway
from anyscale_k8s_cli.spec import CloudSpec

GPU_POOL = NodePool("gpu", labels={"pool": "gpu"}, gpu=True, gpu_driver="node image", size=1)
NODES = [
    node("cpu-1"),
    node(
        "gpu-1", labels={"pool": "gpu", "nvidia.com/gpu.count": "1", "nvidia.com/gpu.product": "x"}
    ),
]


class OperatorImage:
    """The operator's image, as far as the cluster sees it: ready, or complaining."""

    def __init__(self) -> None:
        self.complaint = ""

    def matches(self, image: str) -> bool:
        return "kubernetes_manager" in image

    async def run(self, pod: Any) -> int:
        if self.complaint:
            await pod.set_ready(False, reason="ContainersNotReady", message="not registered")
            pod.log("INFO  starting")
            pod.log(f"ERROR {self.complaint}")
        else:
            await pod.set_ready(True)
        await asyncio.get_running_loop().create_future()
        return 0


class Known(Resource[Any]):
    """A resource outside the cluster whose outputs are known."""

    kind = "test:known"

    def __init__(self, install: Install, key: str, output: Any) -> None:
        super().__init__(key=key, title=key, install=install)
        self._found = Observed(id=key, output=output, owner=install)
        self.observed = self._found

    def read(self) -> Observed[Any]:
        return self._found

    def diff(self, observed: Observed[Any]) -> Sequence[Any]:
        return ()

    def create(self) -> Observed[Any]:
        return self._found

    def update(self, observed: Observed[Any], changes: Sequence[Any]) -> Observed[Any]:
        return self._found

    def delete(self, observed: Observed[Any]) -> None: ...

    def ready(self, observed: Observed[Any]) -> Observed[Any]:
        return observed


class Platform:
    """The provider's part that the cluster's side asks for."""

    control_plane_name = "AWS"

    def operator_values(
        self, spec: Any, cluster: Any, identity: Identity, nodes: Any
    ) -> dict[str, Any]:
        return {
            "global": {"aws": {"region": "eu-west-1"}, "auth": {"iamIdentity": identity.helm}},
            # There is no control plane in these tests to ask.
            "workloads": {"instanceTypes": {"validationHook": {"enabled": False}}},
        }

    def gpu_plugin_values(self, cluster: Any) -> dict[str, Any]:
        product = {"key": "nvidia.com/gpu.product", "operator": "Exists"}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [product]}]}
        return {
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
        }


@dataclass
class Site:
    """A world with charts, and installs that are made in it."""

    world: Any
    tools: Any
    operator: OperatorImage
    proven: list[str]

    def install(self, cloud: str = "prod", namespace: str = "ray", **changes: Any) -> ClusterSide:
        install = Install("eks", "1", "eu-west-1", "cluster/one", namespace, cloud, "uid-1")
        spec = CloudSpec(
            provider="eks",
            name=cloud,
            namespace=namespace,
            timeouts={
                "operator": 20,
                "load_balancer": 20,
                "controller": 20,
                "deletion": 20,
                **changes.pop("timeouts", {}),
            },
            **changes.pop("spec", {}),
        )
        teardown = changes.get("teardown", False)
        cluster = Cluster("one", "cluster/one", "1", "eu-west-1", "1.33", self.world.access())
        context = ClusterContext(
            spec=spec,
            install=install,
            provider=Platform(),
            cluster=replace(cluster, node_pools=changes.pop("pools", (GPU_POOL,))),
            kubernetes=self.tools.kubernetes,
            helm=self.tools.helm,
            charts=self.tools.charts,
            run=self.tools.run,
            nodes=self.tools.kubernetes.list("v1", "Node"),
            control_plane_url="https://plane.example/",
            user_domain="userdata.example",
            **changes,
        )
        identity = Known(install, "identity", Identity("role", "role-for-helm"))
        storage = Known(install, "storage", Storage("s3://bucket", "eu-west-1"))
        cloud_side = CloudSide(
            (storage, identity),
            storage,
            identity,
            lambda: {"eks.amazonaws.com/role-arn": "role-for-helm"},
            self.prove,
        )
        registration = Known(install, "registration", Registration("cld_1", f"cldrsrc_{cloud}"))
        balancer = LoadBalancer("the pool", {"example.com/type": "nlb"})
        return cluster_side(
            context,
            None if teardown else cloud_side,
            registration,
            None if teardown else balancer,
            lambda addresses: (),
        )

    def prove(self, token: Any) -> Sequence[str]:
        self.proven.append(token("sts.example"))
        return ["the role was assumed"]

    def remove(self, side: ClusterSide) -> dict[str, str]:
        """A teardown as the command does it: what becomes of each resource, by key."""
        fate: dict[str, str] = {}
        planned = []
        for resource in side.resources:
            observed = resource.read()
            if observed is None:
                continue
            change = Change.DELETE
            if isinstance(resource, SharedResource) and (
                not observed.made_by_us
                or observed.marks - {resource.install.mark}
                or resource.others(observed)
            ):
                change = Change.KEEP
                if observed.made_by_us:
                    resource.unmark(observed)
            fate[resource.key] = change.value
            planned.append(
                PlannedChange(resource, Decision(change, Ownership.OURS, "test"), observed)
            )
        journal = type("Journal", (), {"guard": lambda s: None, "removed": lambda s, r: None})()
        applied = asyncio.run(backwards(planned, self.world.run, journal))
        if applied.error:
            raise applied.error
        return fate


@pytest.fixture
def site(make_world: Any, helm4: Any, tmp_path: Path) -> Site:
    return make_site(make_world, helm4, tmp_path)


def make_site(make_world: Any, helm: Any, tmp_path: Path, **world_settings: Any) -> Site:
    authority = Authority()
    operator = OperatorImage()
    world = make_world(
        authority=authority,
        workloads=(EnvoyGateway(authority), DevicePlugin(authority, "admin-token"), operator),
        nodes=NODES,
        **world_settings,
    )
    return Site(world, world.helm_tools(helm, tmp_path), operator, [])


@pytest.mark.parametrize("version", ["helm3", "helm4"])
def test_setup_again_and_teardown(
    version: str, request: pytest.FixtureRequest, make_world: Any, tmp_path: Path
) -> None:
    site = make_site(make_world, request.getfixturevalue(version), tmp_path)
    before = _inventory(site.world)
    side = site.install()
    assert set(site.world.changes(side.resources).values()) == {"create"}

    site.world.apply(side.resources)
    assert len(site.proven) == 1
    assert side.gateway.output.address is not None
    values = side.operator.output.values
    assert values["networking"]["gateway"]["ip"] == side.gateway.output.address.value
    assert values["global"] == {
        "cloudDeploymentId": "cldrsrc_prod",
        "cloudProvider": "aws",
        "controlPlaneURL": "https://plane.example",
        "aws": {"region": "eu-west-1"},
        "auth": {"iamIdentity": "role-for-helm"},
    }

    mark = len(site.world.wire.calls())
    again = site.install()
    assert site.world.changes(again.resources) == {}
    site.world.apply(again.resources)
    assert [call for call in site.world.wire.calls()[mark:] if call.operation.write] == []

    fate = site.remove(site.install(teardown=True))
    assert set(fate.values()) == {"delete"}
    assert _inventory(site.world) == before


def _inventory(world: Any) -> set[str]:
    kinds = [
        ("v1", "Namespace"),
        ("v1", "Service"),
        ("v1", "Secret"),
        ("v1", "ConfigMap"),
        ("v1", "ServiceAccount"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "DaemonSet"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("gateway.networking.k8s.io/v1", "GatewayClass"),
    ]
    return {str(Reference.of(item)) for kind in kinds for item in world.kubernetes.list(*kind)}


def test_each_object_deleted_by_hand_comes_back_and_nothing_else_changes(site: Site) -> None:
    side = site.install()
    site.world.apply(side.resources)
    gateway = Reference("gateway.networking.k8s.io/v1", "Gateway", "gateway", "ray")
    site.world.kubernetes.delete(gateway)
    site.world.kubernetes.delete(Reference("v1", "ConfigMap", "vector", "ray"))
    definition = Reference(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "grpcroutes.gateway.networking.k8s.io",
    )
    site.world.kubernetes.delete(definition)
    site.world.kubernetes.wait_gone(definition, timeout=10)
    changes = site.world.changes(site.install().resources)
    assert changes["k8s:definitions/gateway.networking.k8s.io"] == "update"
    assert changes["helm:release/ray/anyscale-operator"] == "update"
    # Its proxy may still be there: then the Gateway is what is missing of it.
    assert changes["k8s:gateway/ray/gateway"] in ("create", "update")
    assert len(changes) == 3
    site.world.apply(site.install().resources)
    assert site.world.changes(site.install().resources) == {}


def test_a_change_by_hand_in_a_release_is_named_and_mended(site: Site) -> None:
    site.world.apply(site.install().resources)
    deployment = Reference("apps/v1", "Deployment", "anyscale-operator", "ray")
    site.world.kubernetes.patch_merge(deployment, {"spec": {"replicas": 0}})
    item = _planned(site, "helm:release/ray/anyscale-operator")
    assert item.change is Change.UPDATE
    assert item.decision.reason == "Deployment anyscale-operator in ray: spec.replicas: 0 → 1"
    site.world.apply(site.install().resources)
    found = site.world.kubernetes.get("apps/v1", "Deployment", "anyscale-operator", "ray")
    assert found["spec"]["replicas"] == 1


def _planned(site: Site, key: str, **changes: Any) -> PlannedChange:
    items = site.world.plan(site.install(**changes).resources).changes
    return next(item for item in items if item.resource.key == key)


def test_changed_values_are_named_and_never_shown(site: Site) -> None:
    site.world.apply(site.install().resources)
    values = {"operator": {"container": {"additionalEnv": [{"name": "A", "value": "s3cret"}]}}}
    item = _planned(
        site, "helm:release/ray/anyscale-operator", spec={"operator": {"values": values}}
    )
    assert item.change is Change.UPDATE
    assert "values.operator.container" in item.decision.reason
    assert "s3cret" not in item.decision.reason


def test_versions_stay_unless_upgrade_is_asked_for(site: Site, tmp_path: Path) -> None:
    older = _older_chart(site, tmp_path)
    site.world.apply(site.install(spec={"operator": {"chart": str(older)}}).resources)
    assert site.world.changes(site.install().resources) == {}
    item = _planned(site, "helm:release/ray/anyscale-operator", upgrade=True)
    assert item.decision.reason == "chart version: '1.7.9' → '1.8.0'"
    side = site.install(upgrade=True)
    site.world.apply(side.resources)
    assert side.operator.output.chart_version == "1.8.0"


def _older_chart(site: Site, tmp_path: Path) -> Path:
    """The operator's chart as it was one version ago."""
    archive = asyncio.run(site.tools.charts.fetch("anyscale-operator"))
    with tarfile.open(archive.path) as bundle:
        bundle.extractall(tmp_path / "older", filter="data")
    folder = tmp_path / "older" / "anyscale-operator"
    about = folder / "Chart.yaml"
    about.write_text(about.read_text().replace("version: 1.8.0", "version: 1.7.9"))
    return folder


def test_a_release_left_pending_is_recovered(site: Site) -> None:
    site.world.apply(site.install().resources)
    record = newest(site.world.kubernetes, "ray", "anyscale-operator")
    assert record is not None
    _leave_pending(site, "ray", "anyscale-operator", "pending-upgrade")
    item = _planned(site, "helm:release/ray/anyscale-operator")
    assert item.change is Change.UPDATE
    assert "pending-upgrade" in item.decision.reason
    site.world.apply(site.install().resources)
    assert site.world.changes(site.install().resources) == {}


def _leave_pending(site: Site, namespace: str, name: str, status: str) -> None:
    """What a helm that is killed in the middle leaves: a newer revision, not deployed."""
    secrets = site.world.kubernetes.list(
        "v1", "Secret", namespace, label_selector=f"owner=helm,name={name}"
    )
    last = max(secrets, key=lambda item: int(item["metadata"]["labels"]["version"]))
    revision = int(last["metadata"]["labels"]["version"]) + 1
    release = json.loads(
        gzip.decompress(base64.b64decode(base64.b64decode(last["data"]["release"])))
    )
    release["version"] = revision
    release["info"]["status"] = status
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    left = copy.deepcopy(last)
    left["metadata"] = {
        "name": f"sh.helm.release.v1.{name}.v{revision}",
        "namespace": namespace,
        "labels": {
            **last["metadata"]["labels"],
            "version": str(revision),
            "status": status,
        },
    }
    left["data"] = {"release": base64.b64encode(packed).decode()}
    site.world.kubernetes.create(left)


def test_the_operators_own_complaint_is_the_cause(site: Site) -> None:
    site.operator.complaint = "identity: the role does not trust this service account"
    with pytest.raises(errors.CliError) as caught:
        site.world.apply(site.install(timeouts={"operator": 3}).resources)
    problem = caught.value
    assert problem.code is errors.OPERATOR_UNHEALTHY
    assert "the role does not trust this service account" in problem.cause
    assert any("container operator: running and not ready" in line for line in problem.evidence)


def test_two_installs_share_controller_and_definitions(site: Site) -> None:
    first = site.install("first", "ray-one")
    second = site.install("second", "ray-two")
    site.world.apply(first.resources)
    site.world.apply(second.resources)
    assert site.world.changes(site.install("first", "ray-one").resources) == {}
    assert site.world.changes(site.install("second", "ray-two").resources) == {}

    fate = site.remove(site.install("first", "ray-one", teardown=True))
    kept = {key for key, what in fate.items() if what == "keep"}
    assert kept == {
        "k8s:namespace/envoy-gateway-system",
        "k8s:namespace/nvidia-device-plugin",
        "k8s:definitions/gateway.networking.k8s.io",
        "k8s:definitions/gateway.envoyproxy.io",
        "helm:release/envoy-gateway-system/eg",
        "helm:release/nvidia-device-plugin/nvdp",
    }
    assert site.world.changes(site.install("second", "ray-two").resources) == {}
    fate = site.remove(site.install("second", "ray-two", teardown=True))
    assert set(fate.values()) == {"delete"}


def test_a_controller_of_others_is_used_and_none_installed_beside_it(site: Site) -> None:
    async def by_hand() -> None:
        archive = await site.tools.charts.fetch(CHART)
        await site.tools.helm.upgrade("theirs", "infra", archive, {}, timeout=30, wait=False)

    definitions = site.install().resources
    api = [item for item in definitions if item.key.startswith("k8s:definitions/")]
    site.world.apply(api)
    site.world.kubernetes.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "infra"}}
    )
    asyncio.run(by_hand())
    side = site.install()
    changes = site.world.changes(side.resources)
    assert changes["helm:release/envoy-gateway-system/eg"] == "keep"
    assert f"k8s:namespace/{NAMESPACE}" not in changes
    site.world.apply(side.resources)
    assert site.world.kubernetes.get("v1", "Namespace", NAMESPACE) is None
    fate = site.remove(site.install(teardown=True))
    assert fate["helm:release/envoy-gateway-system/eg"] == "keep"
    assert newest(site.world.kubernetes, "infra", "theirs") is not None


def test_a_gateway_that_nobody_serves_says_who_should(
    make_world: Any, helm4: Any, tmp_path: Path
) -> None:
    site = make_site(make_world, helm4, tmp_path, load_balancers=_Nobody())
    with pytest.raises(errors.CliError) as caught:
        site.world.apply(site.install(timeouts={"load_balancer": 2}).resources)
    problem = caught.value
    assert problem.code is errors.NO_ADDRESS
    assert problem.details == {"cause": "not-served"}
    assert "the pool should" in problem.cause


class _Nobody:
    async def ensure(self, service: Any) -> None:
        return None

    async def remove(self, service: Any) -> None: ...


def test_cpu_only_and_switched_off_install_no_plugin(site: Site) -> None:
    assert not _plugin_keys(site.install(spec={"gpu": "off"}))
    site.world.kubernetes.delete(Reference("v1", "Node", "gpu-1"))
    assert not _plugin_keys(site.install(pools=()))


def _plugin_keys(side: ClusterSide) -> Iterator[str] | list[str]:
    return [item.key for item in side.resources if "nvidia" in item.key]


def test_a_plugin_that_the_node_image_brings_is_kept(site: Site) -> None:
    pool = replace(GPU_POOL, gpu_plugin_owner="the node image")
    side = site.install(pools=(pool,))
    changes = site.world.changes(side.resources)
    assert changes["helm:release/nvidia-device-plugin/nvdp"] == "keep"
    assert "k8s:namespace/nvidia-device-plugin" not in changes
