"""The GKE platform: its clusters' callers, and an operator that is well only if all is right."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import google.auth
import httpx
import pytest
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials

from anyscale_k8s_cli.addons.pod_probe import Question
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.cloud_side import Storage, WorkloadEndpoints
from anyscale_k8s_cli.controlplane.client import ControlPlane
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.credentials import Credentials as Login
from anyscale_k8s_cli.controlplane.models import (
    CloudResource,
    KubernetesConfig,
    NewCloud,
    ObjectStorage,
)
from anyscale_k8s_cli.controlplane.proof import ProofStep, prove_bucket
from anyscale_k8s_cli.controlplane.transport import Limits
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.controlplane.clouds import Behaviour
from anyscale_k8s_cli.sandbox.controlplane.server import ControlPlaneStandIn
from anyscale_k8s_cli.sandbox.gke import GkePlatform
from anyscale_k8s_cli.sandbox.gke_breaks import GkeBreaks
from anyscale_k8s_cli.sandbox.google.seed import node_account
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.world import GkeWorld, World
from tests.probing import probed

TOKEN = "aph0_MARKER-of-a-secret"
ORIGIN = "https://console.anyscale.com"
NAMESPACE, ACCOUNT = "anyscale-operator", "anyscale-operator"
BUCKET = "anyscale-prod-1f3a9c2e"
MEMBER = f"serviceAccount:demo.svc.id.goog[{NAMESPACE}/{ACCOUNT}]"
USER = "roles/iam.workloadIdentityUser"
CREATOR = "roles/iam.serviceAccountTokenCreator"
BUCKET_ROLES = ("roles/storage.objectAdmin", "roles/storage.legacyBucketReader")
EXCLUDED = "GATEWAY_RESOURCES,INSTANCE_TYPES,KUBERNETES_PERMISSIONS"
PATIENCE = 20.0


@dataclass
class Stage:
    """A platform, a control plane, and what a right installation would have made."""

    gke: GkeWorld = field(default_factory=lambda: GkeWorld(others=False, refused_attempts=0))
    resource_id: str = ""
    cloud_id: str = ""

    async def start(self) -> None:
        wire, self.public = Wire(), Authority()
        world = World(pace=0.01, operator_recheck_seconds=0.2, gke=self.gke)
        self.platform = GkePlatform(world, wire, self.public)
        behaviour = Behaviour(activation=0, deletion=0.2, add_failures=0, report_interval=0.1)
        self.plane = ControlPlaneStandIn(wire, TOKEN, behaviour=behaviour)
        await self.platform.start()
        self.plane.verifiers |= self.platform.verifiers(self.plane.http)
        self.plane.signers |= self.platform.signers(self.plane.http)
        await self.plane.start()

    async def stop(self) -> None:
        await self.platform.stop()
        await self.plane.stop()

    @property
    def store(self) -> Any:
        return self.platform.cluster().kubernetes.store

    @property
    def project(self) -> Any:
        return self.platform.google.project

    @property
    def clouds(self) -> Clouds:
        login = Login(self.plane.url, TOKEN, "the test")
        return Clouds(ControlPlane(login, Run(), environ={}, limits=Limits(backoff=0.01)))

    def make_cloud_side(self) -> None:
        account = self.project.accounts.create({"accountId": "anyscale-op"})
        self.email = account.email
        self.bind(account.policy, "account", (USER, MEMBER), (CREATOR, self.own))
        access = {"uniformBucketLevelAccess": {"enabled": True}}
        cors = {"origin": ["https://*.anyscale.com"], "method": ["GET"], "responseHeader": ["*"]}
        body = {"name": BUCKET, "location": "us-central1", "iamConfiguration": access}
        self.bucket = self.platform.google.buckets.create(
            self.project.number, {**body, "cors": [cors]}
        )
        grants = [(role, self.own) for role in BUCKET_ROLES]
        self.bind(self.bucket.policy, "bucket", *grants)

    @property
    def own(self) -> str:
        return f"serviceAccount:{self.email}"

    @property
    def account(self) -> Any:
        return self.project.accounts.get(self.email)

    def bind(self, policy: Any, kind: str, *bindings: tuple[str, str]) -> None:
        """Replace what an earlier call has bound."""
        listed = [{"role": role, "members": [member]} for role, member in bindings]
        self.project.rules.replace(policy, {"bindings": listed}, kind)

    def register(self, identity: str = "") -> None:
        new = NewCloud(
            name="prod",
            provider="GCP",
            region="us-central1",
            credentials='{"project_id": "x", "service_account_email": "x", "provider_id": ""}',
        )
        cloud = self.clouds.create_cloud(new)
        config = KubernetesConfig(anyscale_operator_iam_identity=identity or self.email)
        resource = CloudResource(
            name="gke-1f3a9c2e",
            provider="GCP",
            region="us-central1",
            object_storage=ObjectStorage(bucket_name=f"gs://{BUCKET}"),
            kubernetes_config=config,
            gcp_config={"project_id": "demo"},
        )
        self.cloud_id = cloud.id
        self.resource_id = self.clouds.add_resource(cloud.id, resource).cloud_resource_id

    def install(self, *, annotated: bool = True) -> None:
        """What the chart makes, in short."""
        annotations = {"iam.gke.io/gcp-service-account": self.email} if annotated else {}
        metadata = {"name": ACCOUNT, "namespace": NAMESPACE, "annotations": annotations}
        self.create("namespaces", {"metadata": {"name": NAMESPACE}})
        self.create("serviceaccounts", {"metadata": metadata})
        variables = {
            "ANYSCALE_CLOUD_DEPLOYMENT_ID": self.resource_id,
            "ANYSCALE_CONTROL_PLANE_URL": self.plane.url,
            "ANYSCALE_CLOUD_PROVIDER": "gcp",
            "ANYSCALE_EXCLUDE_COMPONENT_VERIFICATION": EXCLUDED,
        }
        container = {
            "name": "operator",
            "image": "us-docker.pkg.dev/anyscale-artifacts/public/kubernetes_manager:sandbox",
            "args": ["start"],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8081}},
            "env": [{"name": name, "value": value} for name, value in variables.items()],
        }
        labels = {"app": "anyscale-operator"}
        pod = {"serviceAccountName": ACCOUNT, "containers": [container]}
        spec = {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        metadata = {"name": "anyscale-operator", "namespace": NAMESPACE}
        self.create("deployments.apps", {"metadata": metadata, "spec": spec})

    def create(self, resource: str, manifest: dict[str, Any]) -> None:
        self.store.create(resource, manifest, write=Write(with_status=True))

    def break_(self, switch: str) -> list[str]:
        return GkeBreaks(self.platform, lambda _: [BUCKET]).named()[switch](None)

    def ready(self) -> bool:
        found = self.store.find("deployments.apps", NAMESPACE, "anyscale-operator")
        return bool(found.get("status", {}).get("readyReplicas"))

    def log(self) -> str:
        events = self.store.items("events", NAMESPACE)
        return "\n".join(event.get("message", "") for event in events)


async def eventually(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110 - what is waited for is in other places' state
            await asyncio.sleep(0.02)


@pytest.fixture
def gke() -> GkeWorld:
    """The platform of a test."""
    return GkeWorld(others=False, refused_attempts=0)


@pytest.fixture
async def stage(gke: GkeWorld) -> AsyncIterator[Stage]:
    found = Stage(gke)
    try:
        await found.start()
        yield found
    finally:
        await found.stop()


# -- the clusters ------------------------------------------------------------------------


async def test_callers_are_known_by_google(stage: Stage, tmp_path: Path, monkeypatch: Any) -> None:
    for name, value in stage.platform.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    scopes = [
        "https://www.googleapis.com/auth/cloud-platform",
        "https://www.googleapis.com/auth/userinfo.email",
    ]
    admin, _ = google.auth.default(scopes=scopes)
    await asyncio.to_thread(admin.refresh, Request())
    kubernetes = stage.platform.cluster().kubernetes
    trusted = ssl.create_default_context(cadata=kubernetes.ca_pem.decode())

    async def asked(credentials: Any, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {credentials.token}"}
        async with httpx.AsyncClient(verify=trusted, headers=headers) as client:
            return await client.get(kubernetes.url + path)

    secrets = "/api/v1/namespaces/kube-system/secrets"
    assert (await asked(admin, secrets)).status_code == 200
    email, token = stage.platform.google.node_token()
    answer = await asked(Credentials(token), secrets)
    assert answer.status_code == 403
    assert f'User "{email}" cannot list resource "secrets"' in answer.json()["message"]
    assert (await asked(Credentials("ya29.nonsense"), secrets)).status_code == 401
    stage.platform.google.set_admin_permissions(["container.clusters.get"])
    assert (await asked(admin, secrets)).status_code == 403


async def test_gpus_are_offered_by_googles_plugin(stage: Stage) -> None:
    (gpu,) = [
        node
        for node in stage.store.items("nodes")
        if node["metadata"]["labels"].get("cloud.google.com/gke-accelerator")
    ]
    assert gpu["metadata"]["labels"]["cloud.google.com/gke-accelerator"] == "nvidia-tesla-t4"
    assert gpu["status"]["allocatable"]["nvidia.com/gpu"] == "1"
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    assert gpu["spec"]["taints"] == [taint]

    def running() -> bool:
        plugin = stage.store.find("daemonsets.apps", "kube-system", "nvidia-gpu-device-plugin")
        return plugin.get("status", {}).get("numberReady") == 1

    await eventually(running)
    stage.create("namespaces", {"metadata": {"name": "ray"}})
    await eventually(lambda: stage.store.find("serviceaccounts", "ray", "default") is not None)
    limits = {"limits": {"nvidia.com/gpu": "1"}}
    pod = {"containers": [{"name": "c", "image": "x", "resources": limits}]}
    stage.create("pods", {"metadata": {"name": "gpu", "namespace": "ray"}, "spec": pod})

    def scheduled() -> bool:
        found = stage.store.find("pods", "ray", "gpu")
        return found["spec"].get("nodeName") == gpu["metadata"]["name"]

    await eventually(scheduled)


class TestDnsEndpoint:
    @pytest.fixture
    def gke(self) -> GkeWorld:
        return GkeWorld(others=False, dns_endpoint=True, gateway_api=True)

    async def test_has_a_certificate_that_everybody_trusts(self, stage: Stage) -> None:
        kubernetes = stage.platform.cluster().kubernetes
        trusted = ssl.create_default_context(cadata=stage.public.ca_pem.decode())
        async with httpx.AsyncClient(verify=trusted) as client:
            answer = await client.get(f"{kubernetes.public_url}/version")
            assert answer.status_code in (200, 401, 403)
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get(f"{kubernetes.url}/version")

    async def test_googles_gateway_api(self, stage: Stage) -> None:
        api = "gateway.networking.k8s.io"
        classes = [item["metadata"]["name"] for item in stage.store.items(f"gatewayclasses.{api}")]
        assert "gke-l7-global-external-managed" in classes
        definition = stage.store.find(
            "customresourcedefinitions.apiextensions.k8s.io", "", f"gateways.{api}"
        )
        assert definition["metadata"]["annotations"][f"{api}/bundle-version"] == "v1.2.1"


async def test_deleted_cluster(stage: Stage) -> None:
    await stage.platform.delete_cluster()
    assert stage.platform.clusters == {}
    with pytest.raises(LookupError, match="was deleted"):
        stage.platform.cluster()


# -- the operator --------------------------------------------------------------------------


async def test_operator_is_well_when_all_is_right(stage: Stage) -> None:
    stage.make_cloud_side()
    await asyncio.to_thread(stage.register)
    stage.install()
    await eventually(stage.ready)
    await eventually(
        lambda: stage.plane.snapshot()["clouds"][0]["resources"][0]["operator_status"] == "HEALTHY"
    )
    proof = await asyncio.to_thread(prove_bucket, stage.clouds, stage.cloud_id, ORIGIN)
    assert proof.proven, proof
    assert proof.object_uri.startswith(f"gs://{BUCKET}/")
    # Now and then there is one of the operator's own for a moment.
    await eventually(lambda: len(stage.bucket.objects.live) == 1)


@dataclass(frozen=True)
class Wrong:
    """A wire that is wrong, by the name of the switch that breaks it, and what is said then."""

    switch: str
    says: str


WRONG = [
    Wrong("role-trust", "missing IAM policy binding on the target IAM service account"),
    Wrong(
        "token-creator",
        "unable to generate identity token: 403: Permission 'iam.serviceAccounts.getOpenIdToken'",
    ),
    Wrong("workload-identity", "unable to generate identity token"),
    Wrong("service-account", "Unable to generate access token; IAM returned 403"),
    Wrong("bucket-access", "does not have storage.objects.create access"),
    Wrong("bucket", "The specified bucket does not exist"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.switch)
async def test_each_wrong_wire_has_its_own_words(stage: Stage, wrong: Wrong) -> None:
    stage.make_cloud_side()
    assert stage.break_(wrong.switch) != []
    await asyncio.to_thread(stage.register)
    stage.install()
    await eventually(lambda: wrong.says in stage.log())
    assert not stage.ready()


async def test_account_without_annotation_is_its_pools(stage: Stage) -> None:
    stage.make_cloud_side()
    await asyncio.to_thread(stage.register)
    stage.install(annotated=False)
    says = "unable to generate identity token: 403: Permission 'iam.serviceAccounts.getOpenIdToken'"
    await eventually(lambda: says in stage.log())


async def test_registered_identity_is_compared(stage: Stage) -> None:
    stage.make_cloud_side()
    other = "other@demo.iam.gserviceaccount.com"
    await asyncio.to_thread(stage.register, other)
    stage.install()
    await eventually(lambda: f"does not match the registered {other}" in stage.log())


@pytest.mark.parametrize("switch", ["role-trust", "workload-identity", "bucket-access"])
async def test_what_breaks_later_is_noticed(stage: Stage, switch: str) -> None:
    stage.make_cloud_side()
    await asyncio.to_thread(stage.register)
    stage.install()
    await eventually(stage.ready)
    stage.break_(switch)
    says = {
        "role-trust": "missing IAM policy binding",
        "workload-identity": node_account(),
        "bucket-access": "does not have storage.objects",
    }
    await eventually(lambda: says[switch] in stage.log())


async def test_load_balancers_can_be_taken_away(stage: Stage) -> None:
    stage.create("namespaces", {"metadata": {"name": "ns"}})
    spec = {"type": "LoadBalancer", "ports": [{"port": 443}]}
    stage.create("services", {"metadata": {"name": "gw", "namespace": "ns"}, "spec": spec})

    def ingress() -> list[Any]:
        found = stage.store.find("services", "ns", "gw")
        return list(found["status"]["loadBalancer"].get("ingress", ()))

    await eventually(lambda: bool(ingress()))
    (rule,) = stage.platform.google.balancing.rules()
    assert (rule.service, ingress()[0]["ip"]) == ("ns/gw", rule.address)
    assert stage.break_("load-balancer") == [rule.name]
    assert (stage.platform.google.balancing.rules(), ingress()) == ([], [])


async def test_browser_sees_who_may_not_sign(stage: Stage) -> None:
    stage.make_cloud_side()
    await asyncio.to_thread(stage.register)
    stage.install()
    await eventually(stage.ready)
    stage.bind(stage.account.policy, "account", (USER, MEMBER))
    proof = await asyncio.to_thread(prove_bucket, stage.clouds, stage.cloud_id, ORIGIN)
    assert (proof.failed, "cannot sign" in proof.reason) == (ProofStep.URL, True)


# -- the probe -----------------------------------------------------------------------------


async def probe(stage: Stage) -> Finding:
    """What a pod of the workloads tells of the bucket."""
    google = WorkloadEndpoints(stage.platform.google.endpoint("storage"))
    question = Question(Storage(f"gs://{BUCKET}", "us-central1"), google)
    found = await probed(stage.platform.cluster().kubernetes, question)
    return found["pod-storage"].finding


async def test_a_pod_uses_the_bucket_by_the_metadata_server(stage: Stage) -> None:
    stage.make_cloud_side()
    stage.install()

    found = await probe(stage)

    assert found.status is Status.PASS, found
    assert found.detail == f"put, get, list, delete, by metadata server, account {stage.email}"


@pytest.mark.parametrize(
    ("switch", "words"),
    [
        ("role-trust", "the identity of the workloads' pods is refused at http://"),
        ("bucket", f"there is no bucket gs://{BUCKET} at http"),
        ("bucket-access", f"pods may not put in gs://{BUCKET} (it takes storage.objects.create)"),
    ],
)
async def test_a_pod_tells_which_wire_is_wrong(stage: Stage, switch: str, words: str) -> None:
    stage.make_cloud_side()
    stage.install()
    assert stage.break_(switch) != []

    found = await probe(stage)

    assert found.status is Status.FAIL
    assert found.detail.startswith(words), found.detail
