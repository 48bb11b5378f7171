"""The stand-in operator in an AKS cluster: well only if every wire is right.

Kubernetes, Azure and the control plane over HTTP, put together as in the sandbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from anyscale_k8s_cli.addons.pod_probe import Question
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.controlplane.client import ControlPlane
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.credentials import Credentials
from anyscale_k8s_cli.controlplane.models import (
    CloudResource,
    KubernetesConfig,
    NewCloud,
    ObjectStorage,
)
from anyscale_k8s_cli.controlplane.proof import ProofStep, prove_bucket
from anyscale_k8s_cli.controlplane.transport import Limits
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.aks import AksPlatform
from anyscale_k8s_cli.sandbox.aks_breaks import AksBreaks
from anyscale_k8s_cli.sandbox.azure.directory import (
    AKS_SERVER_APP_ID,
    FederatedCredential,
    Principal,
)
from anyscale_k8s_cli.sandbox.azure.resources import IDENTITIES, STORAGE_ACCOUNTS
from anyscale_k8s_cli.sandbox.controlplane.clouds import Behaviour
from anyscale_k8s_cli.sandbox.controlplane.server import ControlPlaneStandIn
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.world import AksWorld
from anyscale_k8s_cli.sandbox.world import World as Knobs
from tests.probing import probed

TOKEN = "aph0_MARKER-of-a-secret"
ORIGIN = "https://console.anyscale.com"
NAMESPACE = ACCOUNT = "anyscale-operator"
SUBJECT = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
STORAGE = "anyscale1234"
CONTAINER = "anyscale-data"
IMAGE = "us-docker.pkg.dev/anyscale-artifacts/public/kubernetes_manager:sandbox"
PATIENCE = 20.0


@dataclass
class World:
    """Everything that a right installation would have made, and handles to break it."""

    bundle: Path
    knobs: AksWorld = field(default_factory=AksWorld)
    cluster_name: str = "demo"
    wire: Wire = field(default_factory=Wire)
    authority: Authority = field(default_factory=Authority)

    async def start(self) -> None:
        self.bundle.write_bytes(self.authority.ca_pem)
        knobs = Knobs(aks=self.knobs, pace=0.01, operator_recheck_seconds=0.2)
        self.platform = AksPlatform(knobs, self.wire, self.authority)
        await self.platform.start()
        self.plane = ControlPlaneStandIn(
            self.wire,
            TOKEN,
            behaviour=Behaviour(activation=0, deletion=0.2, add_failures=0, report_interval=0.1),
            trusted=self.authority.client_context(),
        )
        self.plane.verifiers |= self.platform.verifiers(self.plane.http)
        self.plane.signers |= self.platform.signers(self.plane.http)
        await self.plane.start()
        self._make_azure_side()
        await self.register(self.principal.object_id)
        self._make_cluster_side()
        breaks = AksBreaks(
            self.platform,
            lambda _: [f"{CONTAINER}@{STORAGE}.dfs.core.windows.net"],
            self.plane.registry,
        )
        self.breaks = breaks.named()

    async def stop(self) -> None:
        await self.platform.stop()
        await self.plane.stop()

    @property
    def store(self) -> Any:
        return self.platform.clusters[f"aks/{self.cluster_name}"].store

    @property
    def clouds(self) -> Clouds:
        credentials = Credentials(self.plane.url, TOKEN, "the test")
        environ = {"ANYSCALE_SSL_CA_CERT": str(self.bundle)}
        limits = Limits(backoff=0.01)
        return Clouds(ControlPlane(credentials, Run(), environ=environ, limits=limits))

    def _make_azure_side(self) -> None:
        azure = self.platform.azure.world
        with azure.lock:
            own_id = azure.resources.id("demo", IDENTITIES, "anyscale-prod-operator")
            identity = azure.identities.add(own_id, "eastus", {}, settled=True)
            self.principal: Principal = azure.identities.principal(identity)
            self.principal.credentials["cluster"] = FederatedCredential(
                "cluster", self.platform.seed.issuer, SUBJECT, ("api://AzureADTokenExchange",)
            )
            own_id = azure.resources.id("demo", STORAGE_ACCOUNTS, STORAGE)
            account = azure.accounts.new(own_id, "eastus", {"allowSharedKeyAccess": False})
            self.data = azure.accounts.add(account, settled=True)
            self.data.add_container(CONTAINER)
            role = azure.rights.role_named("Storage Blob Data Contributor")
            azure.rights.grant(self.principal, role, account.id)

    async def register(self, identity: str) -> None:
        def work() -> None:
            cloud = self.clouds.create_cloud(
                NewCloud(name="prod", provider="AZURE", region="eastus", credentials="")
            )
            storage = ObjectStorage(
                bucket_name=f"abfss://{CONTAINER}@{STORAGE}.dfs.core.windows.net",
                region="eastus",
                endpoint=f"{self.platform.azure.world.blob_url}/{STORAGE}",
            )
            resource = CloudResource(
                name="aks-1f3a9c2e",
                provider="AZURE",
                region="eastus",
                object_storage=storage,
                kubernetes_config=KubernetesConfig(anyscale_operator_iam_identity=identity),
            )
            added = self.clouds.add_resource(cloud.id, resource)
            self.cloud_id, self.resource_id = cloud.id, added.cloud_resource_id

        await asyncio.to_thread(work)

    def create(self, resource: str, kind: str, name: str, **content: Any) -> None:
        metadata = {"name": name, "namespace": NAMESPACE, **content.pop("metadata", {})}
        version = content.pop("version", "v1")
        manifest = {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
        self.store.create(resource, manifest, write=Write(with_status=True))

    def _make_cluster_side(self) -> None:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self.store.create("namespaces", namespace, write=Write())
        annotations = {"azure.workload.identity/client-id": self.principal.app_id}
        self.create(
            "serviceaccounts", "ServiceAccount", ACCOUNT, metadata={"annotations": annotations}
        )
        self.create(
            "configmaps",
            "ConfigMap",
            "instance-types",
            metadata={"labels": {"anyscale.com/name": "instance-types"}},
            data={"instance_types.yaml": "2CPU-8GB: {resources: {CPU: 2, memory: 8Gi}}"},
        )
        group = "rbac.authorization.k8s.io"
        rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        self.create(f"roles.{group}", "Role", "all", version=f"{group}/v1", rules=[rule])
        subjects = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}]
        reference = {"apiGroup": group, "kind": "Role", "name": "all"}
        self.create(
            f"rolebindings.{group}",
            "RoleBinding",
            "all",
            version=f"{group}/v1",
            subjects=subjects,
            roleRef=reference,
        )

    async def install(self, labels: dict[str, str] | None = None, **changed: str) -> None:
        """What the chart makes, in short; `changed` variables replace the right ones."""
        audience = await asyncio.to_thread(self.clouds.azure_audience)
        variables = {
            "ANYSCALE_CLOUD_DEPLOYMENT_ID": self.resource_id,
            "ANYSCALE_CONTROL_PLANE_URL": self.plane.url,
            "ANYSCALE_CLOUD_PROVIDER": "azure",
            "ANYSCALE_OPERATOR_VERSION": "1.8.0",
            "ANYSCALE_AUTH_AUDIENCE": audience,
            **changed,
        }
        container = {
            "name": "operator",
            "image": IMAGE,
            "args": ["start"],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8081}},
            "env": [{"name": name, "value": value} for name, value in variables.items()],
        }
        own = {"app": "anyscale-operator"}
        marked = {**own, **(labels if labels is not None else USE)}
        spec = {"serviceAccountName": ACCOUNT, "containers": [container]}
        template = {"metadata": {"labels": marked}, "spec": spec}
        self.create(
            "deployments.apps",
            "Deployment",
            "anyscale-operator",
            version="apps/v1",
            spec={"selector": {"matchLabels": own}, "template": template},
        )

    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = self.plane.snapshot()["clouds"][0]["resources"][0]
        return found

    def events(self) -> str:
        events = self.store.items("events", NAMESPACE)
        return "\n".join(event.get("message", "") for event in events)


USE = {"azure.workload.identity/use": "true"}


async def eventually(what: Callable[[], bool]) -> None:
    """The stand-ins move by themselves; return once it is so."""
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110 - three servers, none of which can call us
            await asyncio.sleep(0.02)


@pytest.fixture
def knobs(request: pytest.FixtureRequest) -> AksWorld:
    return replace(AksWorld(), **getattr(request, "param", {}))


@pytest.fixture
async def world(knobs: AksWorld, tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path / "ca.pem", knobs)
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


async def test_everything_right(world: World) -> None:
    await world.install()
    await eventually(lambda: world.shown().get("operator_status") == "HEALTHY")
    results = world.shown()["operator_status_details"]["check_results"]
    assert {result["status"] for result in results} == {"HEALTHY"}
    proof = await asyncio.to_thread(prove_bucket, world.clouds, world.cloud_id, ORIGIN)
    assert proof.failed is ProofStep.CORS, proof
    world.data.settings["cors"] = {
        "corsRules": [
            {
                "allowedOrigins": ["https://*.anyscale.com"],
                "allowedMethods": ["GET", "PUT"],
                "allowedHeaders": ["*"],
                "exposedHeaders": ["Accept-Ranges", "Content-Range", "Content-Length"],
                "maxAgeInSeconds": 3600,
            }
        ]
    }
    proof = await asyncio.to_thread(prove_bucket, world.clouds, world.cloud_id, ORIGIN)
    assert proof.proven, proof
    recorded = str([call.as_json() for call in world.wire.calls()])
    assert "MARKER" not in recorded
    assert "eyJ" not in recorded, "a token in the record"


async def never_admitted(world: World, words: str) -> None:
    await eventually(lambda: words in world.events())
    assert world.shown()["operator_status"] == "UNSPECIFIED"


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        ("issuer", "AADSTS700211: No matching federated identity record"),
        ("role-trust", "AADSTS700213: No matching federated identity record"),
        ("identity", "AADSTS700016: Application with identifier"),
        ("tenant", "AADSTS500011: The resource principal named api://086bc555"),
        ("workload-identity", "DefaultAzureCredential: failed to acquire a token"),
    ],
)
async def test_wires_that_keep_an_operator_out(world: World, switch: str, words: str) -> None:
    assert world.breaks[switch](None) != []
    await world.install()
    await never_admitted(world, words)


async def test_the_client_is_registered_in_place_of_the_principal(world: World) -> None:
    assert world.breaks["client-registered"](None) == [world.resource_id]
    await world.install()
    await never_admitted(
        world,
        f"identity {world.principal.object_id} does not match the registered "
        f"{world.principal.app_id}",
    )


async def test_the_principal_is_annotated_in_place_of_the_client(world: World) -> None:
    account = world.store.get("serviceaccounts", NAMESPACE, ACCOUNT)
    key = "azure.workload.identity/client-id"
    account["metadata"]["annotations"][key] = world.principal.object_id
    world.store.update("serviceaccounts", account)
    await world.install()
    await never_admitted(world, "AADSTS700016: Application with identifier")


async def test_a_pod_without_the_label(world: World) -> None:
    await world.install(labels={})
    await never_admitted(world, "AZURE_FEDERATED_TOKEN_FILE")


@pytest.mark.parametrize("knobs", [{"workload_identity": False}], indirect=True)
async def test_a_cluster_without_workload_identity(world: World) -> None:
    await world.install()
    await never_admitted(world, "DefaultAzureCredential: failed to acquire a token")


async def test_a_token_for_somebody_else(world: World) -> None:
    await world.install(ANYSCALE_AUTH_AUDIENCE="https://graph.microsoft.com/.default")
    await never_admitted(world, "The operator's token is not valid")


async def test_without_an_audience(world: World) -> None:
    await world.install(ANYSCALE_AUTH_AUDIENCE="")
    await never_admitted(world, "global.auth.audience is not set")


async def unhealthy(world: World, words: str) -> None:
    await eventually(lambda: world.shown().get("operator_status") == "UNHEALTHY")
    await eventually(lambda: words in world.events())


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        ("bucket-access", "AuthorizationPermissionMismatch"),
        ("bucket", "ContainerNotFound"),
        ("storage-account", "There is no storage account"),
    ],
)
async def test_wires_between_an_operator_and_its_bucket(
    world: World, switch: str, words: str
) -> None:
    assert world.breaks[switch](None) != []
    await world.install()
    await unhealthy(world, words)
    proof = await asyncio.to_thread(prove_bucket, world.clouds, world.cloud_id, ORIGIN)
    assert proof.failed in (ProofStep.URL, ProofStep.PUT)


@pytest.mark.parametrize("switch", ["role-trust", "bucket-access"])
async def test_what_breaks_later_is_noticed(world: World, switch: str) -> None:
    await world.install()
    await eventually(lambda: world.shown().get("operator_status") == "HEALTHY")
    world.breaks[switch](None)
    await eventually(lambda: world.shown()["operator_status"] == "UNHEALTHY")


async def test_load_balancers_can_be_taken_away(world: World) -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 443}]}
    world.create("services", "Service", "gw", spec=spec)

    def ingress() -> list[Any]:
        found = world.store.find("services", NAMESPACE, "gw")
        return list(found["status"]["loadBalancer"].get("ingress", ()))

    await eventually(lambda: bool(ingress()))
    (address,) = world.platform.snapshot()["azure"]["public_addresses"]
    assert world.breaks["load-balancer"](None) == [address]
    assert ingress() == []
    assert world.platform.snapshot()["azure"]["public_addresses"] == {}


@pytest.mark.parametrize("knobs", [{"entra": True}], indirect=True)
async def test_local_accounts_and_entra_let_in(world: World, tmp_path: Path) -> None:
    azure = world.platform.azure.world
    cluster, url = azure.clusters.named("demo"), world.platform.cluster.url
    for path, content in zip(("crt", "key"), cluster.client_certificate, strict=True):
        (tmp_path / path).write_bytes(content)
    bearer = azure.admin.bearer
    entra, _ = azure.directory.tokens.issue(bearer, AKS_SERVER_APP_ID, by_secret=True)
    elsewhere, _ = azure.directory.tokens.issue(
        bearer, "https://graph.microsoft.com", by_secret=True
    )

    def whoami(token: str, **more: Any) -> Any:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = requests.post(
            f"{url}/apis/authentication.k8s.io/v1/selfsubjectreviews",
            json=body,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            verify=str(world.bundle),
            timeout=10,
            **more,
        )
        return answer.json()["status"]["userInfo"]["username"] if answer.ok else answer.status_code

    certificate = (str(tmp_path / "crt"), str(tmp_path / "key"))
    told = [
        await asyncio.to_thread(whoami, cluster.local_token),
        await asyncio.to_thread(whoami, "", cert=certificate),
        await asyncio.to_thread(whoami, entra),
        await asyncio.to_thread(whoami, elsewhere),
    ]
    assert told == ["masterclient", "masterclient", azure.admin.object_id, 401]


async def test_what_leads_here_and_what_goes(world: World, tmp_path: Path) -> None:
    platform = world.platform
    found = platform.environment(tmp_path)
    assert found["REQUESTS_CA_BUNDLE"] == str(tmp_path / "ca.pem")
    assert platform.outsider()["AZURE_CLIENT_ID"] != found["AZURE_CLIENT_ID"]
    assert set(platform.addresses()) == {
        *("azure", "azure-blob", "entra"),
        *("kubernetes/aks/demo", "kubernetes/aks/bare"),
    }
    await platform.delete_cluster()
    assert set(platform.clusters) == {"aks/bare"}
    assert platform.azure.world.resources.group("MC_demo_demo_eastus") is None
    with pytest.raises(LookupError, match="was deleted"):
        await platform.delete_cluster()


# -- the probe -----------------------------------------------------------------------------


async def probe(world: World) -> Finding:
    """What a pod of the workloads tells of the container."""
    storage = Storage(
        f"abfss://{CONTAINER}@{STORAGE}.dfs.core.windows.net",
        "eastus",
        f"{world.platform.azure.world.blob_url}/{STORAGE}",
    )
    found = await probed(world.platform.cluster, Question(storage))
    return found["pod-storage"].finding


async def test_a_pod_uses_the_container_by_workload_identity(world: World) -> None:
    await world.install()

    found = await probe(world)

    assert found.status is Status.PASS, found
    client = world.principal.app_id
    assert found.detail == f"put, get, list, delete, by workload identity, client {client}"


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        ("role-trust", "the identity of the workloads' pods is refused at https://"),
        ("bucket", "there is no bucket abfss://"),
        ("bucket-access", "pods may not put in abfss://"),
        ("workload-identity", "a pod of the workloads is given no credentials: no Azure"),
    ],
)
async def test_a_pod_tells_which_wire_is_wrong(world: World, switch: str, words: str) -> None:
    await world.install()
    assert world.breaks[switch](None) != []

    found = await probe(world)

    assert found.status is Status.FAIL
    assert found.detail.startswith(words), found.detail
