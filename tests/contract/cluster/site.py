"""A cluster with charts and the programs of their images, and installs that are made in it."""

from __future__ import annotations

import asyncio
import base64
import copy
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from anyscale_k8s_cli.addons import ClusterContext, ClusterSide, cluster_side
from anyscale_k8s_cli.addons.rehearsal import Stage
from anyscale_k8s_cli.apply import backwards
from anyscale_k8s_cli.cloud_side import Acting, CloudSide, Identity, Storage
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operator_token import SignIn
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.provider import Cluster, LoadBalancer, NodePool
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.resource import (
    Change,
    Claim,
    Decision,
    Observed,
    Ownership,
    Resource,
    SharedResource,
)
from anyscale_k8s_cli.sandbox.controlplane.admission import review
from anyscale_k8s_cli.sandbox.kubernetes.nodes import node
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.workloads.device_plugin import DevicePlugin
from anyscale_k8s_cli.sandbox.workloads.envoy_gateway import EnvoyGateway
from anyscale_k8s_cli.sandbox.workloads.ingress_nginx import IngressNginx
from anyscale_k8s_cli.spec import CloudSpec

# Where GPUs are not the matter: no release of a plugin.
CPU = {"gpu": "off"}
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


class Plane:
    """Of the control plane, what the cluster's API server asks: are these instance types good?"""

    def __init__(self) -> None:
        self.registered: set[str] = set()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        path = "/api/v2/kubernetes_manager/admission/{resource}"
        application.router.add_post(path, self._admit)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _admit(self, request: web.Request) -> web.Response:
        resource = request.match_info["resource"]
        known = resource in self.registered
        return web.json_response(
            review(await request.json(), registered=known, resource_id=resource)
        )


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


def spec_again(install: Install, cluster: str) -> CloudSpec:
    """What leads to an install on a cluster, as a platform says it."""
    return CloudSpec(
        provider="eks",
        name=install.cloud,
        region=install.region,
        namespace=install.namespace,
        cluster={"name": cluster},
    )


class Platform:
    """The provider's part that the cluster's side asks for."""

    control_plane_name = "AWS"
    workload_identity = True

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
    plane: Plane
    proven: list[str]

    def install(self, cloud: str = "prod", namespace: str = "ray", **changes: Any) -> ClusterSide:
        return self.stage(cloud, namespace, **changes).inside

    def stage(self, cloud: str = "prod", namespace: str = "ray", **changes: Any) -> Stage:
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
        accounts = changes.pop("accounts", None)
        resource_id = changes.pop("resource_id", f"cldrsrc_{cloud}")
        kind = changes.pop("kind", "nlb")
        unregistered = changes.pop("unregistered", False)
        separate = changes.pop("separate", False)
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
            control_plane_url=f"{self.plane.url}/",
            user_domain="userdata.example",
            **changes,
        )
        identity = Known(install, "identity", Identity("role", "role-for-helm"))
        storage = Known(install, "storage", Storage("s3://bucket", "eu-west-1"))
        cloud_side = CloudSide(
            (storage, identity),
            storage,
            None if accounts else identity,
            lambda: {"eks.amazonaws.com/role-arn": "role-for-helm"},
            self.prove,
            workloads=self.workloads(install) if separate else None,
        )
        self.plane.registered.add(resource_id)
        registration = Known(install, "registration", Registration("cld_1", resource_id))
        if unregistered:
            registration.observed = None
        balancer = LoadBalancer(
            "the pool",
            {"example.com/type": kind},
            ("example.com/type",),
            source_ranges=spec.network.allow_cidrs,
        )
        inside = cluster_side(
            context,
            None if teardown else cloud_side,
            registration,
            None if teardown else balancer,
            lambda addresses: (),
            SignIn(accounts, install) if accounts else None,
        )
        return Stage(context, cloud_side, registration, inside, balancer)

    def prove(self, token: Any) -> Sequence[str]:
        self.proven.append(token("sts.example"))
        return ["the role was assumed"]

    def workloads(self, install: Install) -> Acting:
        """What Ray's pods have of their own."""
        identity = Known(install, "their identity", Identity("their-role", "their-role-for-helm"))
        return Acting((identity,), identity, "eks.amazonaws.com/role-arn", self.prove)

    def remove(self, side: ClusterSide) -> dict[str, str]:
        """A teardown as the command does it: what becomes of each resource, by key."""
        fate: dict[str, str] = {}
        planned = []
        for resource in side.resources:
            observed = resource.read()
            if observed is None or resource.claim is Claim.ADOPT:
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

    def leave_pending(self, namespace: str, name: str, status: str, like: str = "") -> None:
        """What a helm that is killed in the middle leaves: a newer revision, not deployed.

        It is `like` the last one with that status, else like the last one.
        """
        secrets = self.world.kubernetes.list(
            "v1", "Secret", namespace, label_selector=f"owner=helm,name={name}"
        )
        secrets.sort(key=_revision)
        last = [item for item in secrets if like in ("", item["metadata"]["labels"]["status"])][-1]
        revision = _revision(secrets[-1]) + 1
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
        self.world.kubernetes.create(left)


def _revision(secret: Any) -> int:
    return int(secret["metadata"]["labels"]["version"])


def make_site(make_world: Any, helm: Any, tmp_path: Path, **world_settings: Any) -> Site:
    authority = Authority()
    operator = OperatorImage()
    world = make_world(
        authority=authority,
        workloads=(
            EnvoyGateway(authority),
            IngressNginx(authority),
            DevicePlugin(authority, "admin-token"),
            operator,
        ),
        **{"nodes": NODES, **world_settings},
    )
    plane = Plane()
    world.add(plane.start(), plane.stop)
    return Site(world, world.helm_tools(helm, tmp_path), operator, plane, [])


def inventory(world: Any) -> set[str]:
    """What an install could leave behind, whoever made it."""
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
