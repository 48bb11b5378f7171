"""The stand-in operator in the stand-in cluster: well only if every wire is right.

Three stand-ins over HTTP: Kubernetes, AWS, and the control plane that our own
client registers with.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

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
from anyscale_k8s_cli.sandbox.aws.seed import ACCOUNT_ID
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings, AwsStandIn
from anyscale_k8s_cli.sandbox.controlplane.aws import S3Signer, StsVerifier
from anyscale_k8s_cli.sandbox.controlplane.clouds import Behaviour
from anyscale_k8s_cli.sandbox.controlplane.server import ControlPlaneStandIn
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.workloads.operator import OperatorImage

TOKEN = "aph0_MARKER-of-a-secret"
ORIGIN = "https://console.anyscale.com"
REGION = "us-west-2"
NAMESPACE = "anyscale-operator"
ACCOUNT = "anyscale-operator"
ADDRESS = "gw.elb.example.com"
BUCKET = "anyscale-prod-1f3a9c2e"
IMAGE = "us-docker.pkg.dev/anyscale-artifacts/public/kubernetes_manager:sandbox"
PATIENCE = 20.0

_SDK = boto3.session.Session()


@dataclass
class World:
    """Everything that a right installation would have made, and handles to break it."""

    wire: Wire = field(default_factory=Wire)
    authority: Authority = field(default_factory=Authority)
    resource_id: str = ""
    cloud_id: str = ""

    async def start(self) -> None:
        cluster = AwsSettings().clusters[0]
        self.aws = AwsStandIn(self.wire, issuer_keys=self._issuer_keys)
        await self.aws.start()
        self.issuer, self.cluster_name = cluster.issuer, cluster.name
        self.plane = ControlPlaneStandIn(
            self.wire,
            TOKEN,
            behaviour=Behaviour(activation=0, deletion=0.2, add_failures=0, report_interval=0.1),
            signers={"s3": S3Signer(self.aws.url)},
        )
        self.plane.verifiers["AWS"] = StsVerifier(self.aws.url, self.plane.http)
        await self.plane.start()
        self.kubernetes = KubernetesStandIn(
            self.wire,
            self.authority,
            name=self.cluster_name,
            service_account_issuer=self.issuer,
            pod_admission=[self._admit],
            workloads=[OperatorImage(self.authority, recheck_seconds=0.2)],
            pace=0.01,
        )
        await self.kubernetes.start()
        await asyncio.to_thread(self._make_cloud_side)
        await self._make_cluster_side()

    async def stop(self) -> None:
        await self.kubernetes.stop()
        await self.plane.stop()
        await self.aws.stop()

    @property
    def store(self) -> Any:
        return self.kubernetes.store

    def client(self, service: str) -> Any:
        environment = self.aws.environment()
        return _SDK.client(
            service,
            region_name=REGION,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )

    @property
    def clouds(self) -> Clouds:
        credentials = Credentials(self.plane.url, TOKEN, "the test")
        return Clouds(ControlPlane(credentials, Run(), environ={}, limits=Limits(backoff=0.01)))

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT_ID}:role/anyscale-k8s/prod/operator"

    def trust(self, subject: str = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}") -> str:
        issuer = self.issuer.removeprefix("https://")
        conditions = {f"{issuer}:sub": subject, f"{issuer}:aud": "sts.amazonaws.com"}
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{issuer}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": conditions},
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def policy(self, *actions: str) -> str:
        bucket = f"arn:aws:s3:::{BUCKET}"
        statement = {"Effect": "Allow", "Action": actions, "Resource": [bucket, f"{bucket}/*"]}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def grant(self, *actions: str) -> None:
        self.client("iam").put_role_policy(
            RoleName="operator", PolicyName="bucket", PolicyDocument=self.policy(*actions)
        )

    def install(self, **changed: str) -> None:
        """What the chart makes, in short; `changed` variables replace the right ones."""
        variables = {
            "ANYSCALE_CLOUD_DEPLOYMENT_ID": self.resource_id,
            "ANYSCALE_CONTROL_PLANE_URL": self.plane.url,
            "ANYSCALE_CLOUD_PROVIDER": "aws",
            "ANYSCALE_OPERATOR_VERSION": "1.8.0",
            "AWS_REGION": REGION,
            "ANYSCALE_REPORT_INTERVAL": "30s",
            "ANYSCALE_GATEWAY_ENABLED": "true",
            "ANYSCALE_GATEWAY_NAME": "gateway",
            "ANYSCALE_GATEWAY_NAMESPACE": NAMESPACE,
            "ANYSCALE_GATEWAY_HOSTNAME": ADDRESS,
            **changed,
        }
        container = {
            "name": "operator",
            "image": IMAGE,
            "args": ["start"],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8081}},
            "env": [{"name": name, "value": value} for name, value in variables.items()],
        }
        labels = {"app": "anyscale-operator"}
        spec = {"serviceAccountName": ACCOUNT, "containers": [container]}
        self.create(
            "deployments.apps",
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "anyscale-operator", "namespace": NAMESPACE},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": spec},
                },
            },
        )

    def create(self, resource: str, manifest: dict[str, Any]) -> None:
        self.store.create(resource, manifest, write=Write(with_status=True))

    def namespaced(self, kind: str, name: str, **content: Any) -> dict[str, Any]:
        version = content.pop("version", "v1")
        metadata = {"name": name, "namespace": NAMESPACE, **content.pop("metadata", {})}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}

    def shown(self) -> dict[str, Any]:
        clouds = self.plane.snapshot()["clouds"]
        return clouds[0]["resources"][0] if clouds else {}

    def finding(self, component: str) -> tuple[str, str]:
        details = self.shown().get("operator_status_details") or {"check_results": []}
        for result in details["check_results"]:
            if result["name"] == component:
                return result["status"], result["details"]
        return "", ""

    def pods(self, **labels: str) -> list[dict[str, Any]]:
        return [
            pod
            for pod in self.store.items("pods", NAMESPACE)
            if labels.items() <= pod["metadata"].get("labels", {}).items()
        ]

    def routes(self) -> list[dict[str, Any]]:
        return list(self.store.items("httproutes.gateway.networking.k8s.io", NAMESPACE))

    def certificates(self) -> list[str]:
        names = [item["metadata"]["name"] for item in self.store.items("secrets", NAMESPACE)]
        return [name for name in names if name.endswith("-certificate")]

    def ready(self) -> bool:
        conditions = [
            condition
            for pod in self.pods(app="anyscale-operator")
            for condition in pod.get("status", {}).get("conditions", ())
        ]
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def events(self) -> str:
        events = self.store.items("events", NAMESPACE)
        return "\n".join(event.get("message", "") for event in events)

    def served(self, plural: str) -> bool:
        try:
            self.store.resource(f"{plural}.gateway.networking.k8s.io")
        except KeyError:
            return False
        return True

    def _issuer_keys(self, issuer: str) -> dict[str, Any] | None:
        return dict(self.kubernetes.issuer_keys()) if issuer == self.issuer else None

    def _admit(self, pod: dict[str, Any], account: dict[str, Any] | None) -> None:
        self.aws.inject_irsa(pod, account, cluster=self.cluster_name)

    def _make_cloud_side(self) -> None:
        iam, s3 = self.client("iam"), self.client("s3")
        iam.create_open_id_connect_provider(Url=self.issuer, ClientIDList=["sts.amazonaws.com"])
        iam.create_role(
            RoleName="operator",
            Path="/anyscale-k8s/prod/",
            AssumeRolePolicyDocument=self.trust(),
        )
        self.grant("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        cloud = self.clouds.create_cloud(
            NewCloud(name="prod", provider="AWS", region=REGION, credentials="ab12")
        )
        resource = CloudResource(
            name="eks-1f3a9c2e",
            provider="AWS",
            region=REGION,
            object_storage=ObjectStorage(bucket_name=f"s3://{BUCKET}", region=REGION),
            kubernetes_config=KubernetesConfig(anyscale_operator_iam_identity=self.role_arn),
        )
        added = self.clouds.add_resource(cloud.id, resource)
        self.cloud_id, self.resource_id = cloud.id, added.cloud_resource_id

    async def _make_cluster_side(self) -> None:
        self.create("namespaces", {"metadata": {"name": NAMESPACE}})
        for plural, kind in (("gateways", "Gateway"), ("httproutes", "HTTPRoute")):
            self.create("customresourcedefinitions.apiextensions.k8s.io", definition(plural, kind))
        annotations = {"eks.amazonaws.com/role-arn": self.role_arn}
        account = self.namespaced("ServiceAccount", ACCOUNT, metadata={"annotations": annotations})
        self.create("serviceaccounts", account)
        self._make_rules()
        await eventually(lambda: self.served("httproutes"))
        self.create(
            "gateways.gateway.networking.k8s.io",
            self.namespaced(
                "Gateway",
                "gateway",
                version="gateway.networking.k8s.io/v1",
                status={"addresses": [{"type": "Hostname", "value": ADDRESS}]},
            ),
        )
        labels = {"anyscale.com/name": "instance-types"}
        types = "2CPU-8GB: {resources: {CPU: 2, memory: 8Gi}}"
        data = {"version": "v1", "instance_types.yaml": types}
        config = self.namespaced(
            "ConfigMap", "instance-types", metadata={"labels": labels}, data=data
        )
        self.create("configmaps", config)

    def _make_rules(self) -> None:
        verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
        core = ["configmaps", "services", "pods", "secrets", "events"]
        rules = [
            {"apiGroups": [""], "resources": core, "verbs": verbs},
            {
                "apiGroups": ["gateway.networking.k8s.io"],
                "resources": ["httproutes", "gateways"],
                "verbs": verbs,
            },
        ]
        api = "rbac.authorization.k8s.io"
        self.create(
            "roles.rbac.authorization.k8s.io",
            self.namespaced("Role", "operator", version=f"{api}/v1", rules=rules),
        )
        subjects = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}]
        reference = {"apiGroup": api, "kind": "Role", "name": "operator"}
        binding = self.namespaced(
            "RoleBinding", "operator", version=f"{api}/v1", subjects=subjects, roleRef=reference
        )
        self.create("rolebindings.rbac.authorization.k8s.io", binding)


def definition(plural: str, kind: str) -> dict[str, Any]:
    """A definition of the Gateway API, without its schema."""
    group = "gateway.networking.k8s.io"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


async def eventually(what: Callable[[], bool]) -> None:
    """The stand-ins move by themselves; return once it is so."""
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110 - three servers, none of which can call us
            await asyncio.sleep(0.02)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


async def test_everything_right(world: World) -> None:
    world.install()
    await eventually(lambda: world.shown().get("operator_status") == "HEALTHY")
    await eventually(world.ready)
    results = world.shown()["operator_status_details"]["check_results"]
    assert {result["status"] for result in results} == {"HEALTHY"}
    assert len(results) == 7
    secret = f"anyscale-{world.resource_id.replace('_', '-')}-certificate"
    assert world.certificates() == [secret]
    assert world.store.get("secrets", NAMESPACE, secret)["type"] == "kubernetes.io/tls"
    proof = await asyncio.to_thread(prove_bucket, world.clouds, world.cloud_id, ORIGIN)
    assert proof.failed is ProofStep.CORS, proof
    rule = {
        "AllowedOrigins": ["https://*.anyscale.com"],
        "AllowedMethods": ["GET", "PUT", "POST", "HEAD", "DELETE"],
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["Accept-Ranges", "Content-Range", "Content-Length"],
    }
    cors = {"CORSRules": [rule]}
    await asyncio.to_thread(
        lambda: world.client("s3").put_bucket_cors(Bucket=BUCKET, CORSConfiguration=cors)
    )
    proof = await asyncio.to_thread(prove_bucket, world.clouds, world.cloud_id, ORIGIN)
    assert proof.proven, proof
    assert "MARKER" not in json.dumps([call.as_json() for call in world.wire.calls()])


async def test_no_address_is_signed_before_an_operator_is_there(world: World) -> None:
    proof = await asyncio.to_thread(prove_bucket, world.clouds, world.cloud_id, ORIGIN)
    assert proof.failed is ProofStep.URL
    assert "No operator is connected" in proof.reason


async def never_admitted(world: World, words: str) -> None:
    await eventually(lambda: words in world.events())
    assert not world.ready()
    assert world.shown()["operator_status"] == "UNSPECIFIED"


async def test_a_trust_policy_for_another_account(world: World) -> None:
    trust = world.trust("system:serviceaccount:elsewhere:anyscale-operator")
    await asyncio.to_thread(
        lambda: world.client("iam").update_assume_role_policy(
            RoleName="operator", PolicyDocument=trust
        )
    )
    world.install()
    await never_admitted(world, "AccessDenied")


async def test_another_role_than_the_registered_one(world: World) -> None:
    read = await asyncio.to_thread(world.clouds.list_resources, world.cloud_id)
    config = KubernetesConfig(anyscale_operator_iam_identity=world.role_arn + "-other")
    changed = read[0].model_copy(update={"kubernetes_config": config})
    await asyncio.to_thread(world.clouds.update_resources, world.cloud_id, [changed])
    world.install()
    await never_admitted(world, "does not match the registered")


async def test_an_id_that_is_not_registered(world: World) -> None:
    world.install(ANYSCALE_CLOUD_DEPLOYMENT_ID="cldrsrc_absent")
    await never_admitted(world, "cldrsrc_absent is not registered")


async def test_no_identity_at_all(world: World) -> None:
    account = world.store.get("serviceaccounts", NAMESPACE, ACCOUNT)
    account["metadata"]["annotations"] = {}
    world.store.update("serviceaccounts", account)
    world.install()
    await never_admitted(world, "no EC2 IMDS role found")


async def test_a_token_that_is_not_valid(world: World) -> None:
    world.install(ANYSCALE_CLI_TOKEN="aph0_wrong")
    await never_admitted(world, "token is not valid")


async def test_a_token_instead_of_an_identity(world: World) -> None:
    world.install(ANYSCALE_CLI_TOKEN=TOKEN)
    await eventually(lambda: world.shown().get("operator_status") == "HEALTHY")
    assert "Anyscale token" in world.finding("IAM_IDENTITY")[1]


async def test_another_address_than_the_gateways(world: World) -> None:
    world.install(ANYSCALE_GATEWAY_HOSTNAME="stale.elb.example.com")
    await eventually(lambda: world.finding("GATEWAY_RESOURCES")[0] == "UNHEALTHY")
    assert ADDRESS in world.finding("GATEWAY_RESOURCES")[1]
    assert world.shown()["operator_status"] == "UNHEALTHY"
    assert not world.ready()


async def test_a_policy_without_deletes(world: World) -> None:
    await asyncio.to_thread(world.grant, "s3:ListBucket", "s3:GetObject", "s3:PutObject")
    world.install()
    await eventually(lambda: world.finding("STORAGE_BUCKET")[0] == "UNHEALTHY")
    assert "failed to delete from" in world.finding("STORAGE_BUCKET")[1]


async def test_a_wire_that_breaks_later_and_is_mended(world: World) -> None:
    world.install()
    await eventually(lambda: world.shown().get("operator_status") == "HEALTHY")
    await asyncio.to_thread(world.grant, "s3:ListBucket")
    await eventually(lambda: world.shown().get("operator_status") == "UNHEALTHY")
    assert "AccessDenied" in world.finding("STORAGE_BUCKET")[1]
    await asyncio.to_thread(
        world.grant, "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"
    )
    await eventually(lambda: world.shown().get("operator_status") == "HEALTHY")


async def test_missing_permissions_in_the_cluster(world: World) -> None:
    role = world.store.get("roles.rbac.authorization.k8s.io", NAMESPACE, "operator")
    role["rules"] = role["rules"][:1]
    world.store.update("roles.rbac.authorization.k8s.io", role)
    world.install()
    await eventually(lambda: world.finding("KUBERNETES_PERMISSIONS")[0] == "UNHEALTHY")
    assert "create httproutes" in world.finding("KUBERNETES_PERMISSIONS")[1]
    assert "cannot get" in world.finding("GATEWAY_RESOURCES")[1]


async def test_an_operator_that_falls_silent_is_disconnected(world: World) -> None:
    world.plane.behaviour = world.plane.registry.behaviour = Behaviour(disconnected_after=0.5)
    world.install()
    await eventually(lambda: world.shown().get("operator_status") == "HEALTHY")
    world.store.delete("deployments.apps", NAMESPACE, "anyscale-operator")
    await eventually(lambda: world.shown().get("operator_status") == "DISCONNECTED")


async def test_workloads_run_and_go_with_the_registration(world: World) -> None:
    world.install()
    await eventually(lambda: world.shown().get("operator_status") == "HEALTHY")
    world.plane.set_active_workloads(world.resource_id, 2)
    await eventually(lambda: len(world.pods(**{"ray-node-type": "head"})) == 2)
    await eventually(lambda: len(world.routes()) == 2)
    await asyncio.to_thread(lambda: world.clouds.delete_cloud(world.cloud_id, force=True))
    await eventually(lambda: not world.pods(**{"ray-node-type": "head"}))
    await eventually(lambda: not world.routes())
    await eventually(lambda: not world.certificates())
    await eventually(lambda: not world.ready())


@pytest.mark.parametrize(("cpu", "code"), [("2", 0), ("2500m", 1)])
async def test_the_hook_validates_instance_types(world: World, cpu: str, code: int) -> None:
    types = f"big: {{resources: {{CPU: {cpu}, memory: 8Gi}}}}"
    planned = {"data": {"version": "v1", "instance_types.yaml": types}}
    review = {"kind": "AdmissionReview", "request": {"uid": "1", "object": planned}}
    variables = {
        "ANYSCALE_CLOUD_DEPLOYMENT_ID": world.resource_id,
        "ANYSCALE_CONTROL_PLANE_URL": world.plane.url,
        "ANYSCALE_ADMISSION_REVIEW": json.dumps(review),
    }
    container = {
        "name": "validate",
        "image": IMAGE,
        "args": ["validate-instance-types"],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
    }
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"backoffLimit": 0, "template": template}
    world.create("jobs.batch", world.namespaced("Job", "hook", version="batch/v1", spec=spec))

    def ended() -> bool:
        status = world.store.get("jobs.batch", NAMESPACE, "hook").get("status", {})
        return bool(status.get("failed" if code else "succeeded"))

    await eventually(ended)
