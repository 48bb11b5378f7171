"""A world for the operator: three stand-ins over HTTP, and installs with everything right.

Kubernetes, AWS, and the control plane that our own client registers with.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
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
from anyscale_k8s_cli.sandbox.workloads.python_image import PythonImage

TOKEN = "aph0_MARKER-of-a-secret"
REGION = "us-west-2"
ACCOUNT = "anyscale-operator"
IMAGE = "us-docker.pkg.dev/anyscale-artifacts/public/kubernetes_manager:sandbox"
BUCKET_ACTIONS = ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject")
PATIENCE = 20.0
Object = dict[str, Any]

_SDK = boto3.session.Session()
_RBAC = "rbac.authorization.k8s.io"
_GATEWAY = "gateway.networking.k8s.io"


async def eventually(what: Callable[[], Any]) -> None:
    """The stand-ins move by themselves; return once it is so."""
    async with asyncio.timeout(PATIENCE):
        while not what():  # noqa: ASYNC110 - three servers, none of which can call us
            await asyncio.sleep(0.02)


@dataclass
class World:
    """The stand-ins, and what two installs in one cluster share."""

    wire: Wire = field(default_factory=Wire)
    authority: Authority = field(default_factory=Authority)
    # How far the control plane's clock is ahead of ours.
    ahead: timedelta = timedelta()
    _clients: dict[str, Any] = field(default_factory=dict)

    async def start(self) -> None:
        cluster = AwsSettings().clusters[0]
        self.issuer, self.cluster_name = cluster.issuer, cluster.name
        self.aws = AwsStandIn(
            self.wire, AwsSettings(refused_attempts=0), issuer_keys=self._issuer_keys
        )
        await self.aws.start()
        self.plane = ControlPlaneStandIn(
            self.wire,
            TOKEN,
            behaviour=Behaviour(activation=0, deletion=0.2, add_failures=0, report_interval=0.1),
            signers={"s3": S3Signer(self.aws.url)},
            clock=lambda: datetime.now(UTC) + self.ahead,
        )
        self.plane.verifiers["AWS"] = StsVerifier(self.aws.url, self.plane.http)
        await self.plane.start()
        self.kubernetes = KubernetesStandIn(
            self.wire,
            self.authority,
            name=self.cluster_name,
            service_account_issuer=self.issuer,
            pod_admission=[self._admit],
            workloads=[
                OperatorImage(self.authority, recheck_seconds=0.2),
                PythonImage(self.authority),
            ],
            pace=0.01,
        )
        await self.kubernetes.start()
        await asyncio.to_thread(self.make_provider)
        for plural, kind in (("gateways", "Gateway"), ("httproutes", "HTTPRoute")):
            self.create("customresourcedefinitions.apiextensions.k8s.io", definition(plural, kind))
        await eventually(lambda: self._served("gateways") and self._served("httproutes"))

    async def stop(self) -> None:
        await self.kubernetes.stop()
        await self.plane.stop()
        await self.aws.stop()

    def make_provider(self) -> None:
        """By which the account knows tokens of the cluster."""
        self.client("iam").create_open_id_connect_provider(
            Url=self.issuer, ClientIDList=["sts.amazonaws.com"]
        )

    def delete_provider(self) -> None:
        iam = self.client("iam")
        for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
            iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider["Arn"])

    async def add(self, name: str, namespace: str) -> Install:
        """What a right setup makes, but the operator itself."""
        install = Install(self, name, namespace)
        await asyncio.to_thread(install.make_cloud_side)
        install.make_cluster_side()
        return install

    @property
    def store(self) -> Any:
        return self.kubernetes.store

    def client(self, service: str) -> Any:
        """The administrator's client of a service: slow to make, and so made once."""
        if service not in self._clients:
            environment = self.aws.environment()
            self._clients[service] = _SDK.client(
                service,
                region_name=REGION,
                endpoint_url=environment["AWS_ENDPOINT_URL"],
                aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    @cached_property
    def clouds(self) -> Clouds:
        credentials = Credentials(self.plane.url, TOKEN, "the test")
        return Clouds(ControlPlane(credentials, Run(), environ={}, limits=Limits(backoff=0.01)))

    def create(self, resource: str, manifest: Object) -> None:
        self.store.create(resource, manifest, write=Write(with_status=True))

    def _served(self, plural: str) -> bool:
        try:
            self.store.resource(f"{plural}.{_GATEWAY}")
        except KeyError:
            return False
        return True

    def _issuer_keys(self, issuer: str) -> Object | None:
        return dict(self.kubernetes.issuer_keys()) if issuer == self.issuer else None

    def _admit(self, pod: Object, account: Object | None) -> None:
        self.aws.inject_irsa(pod, account, cluster=self.cluster_name)


@dataclass
class Install:
    """One install, and handles to look at it and to break it."""

    world: World
    name: str
    namespace: str
    cloud_id: str = ""
    resource_id: str = ""

    @property
    def bucket(self) -> str:
        return f"anyscale-{self.name}-1f3a9c2e"

    @property
    def address(self) -> str:
        return f"{self.name}.elb.example.com"

    @property
    def role(self) -> str:
        return f"{self.name}-operator"

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT_ID}:role/anyscale-k8s/{self.name}/{self.role}"

    # -- making ------------------------------------------------------------------

    def trust(
        self, subject: str = "", *, audience: str = "sts.amazonaws.com", account: str = ACCOUNT_ID
    ) -> str:
        issuer = self.world.issuer.removeprefix("https://")
        subject = subject or f"system:serviceaccount:{self.namespace}:{ACCOUNT}"
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{account}:oidc-provider/{issuer}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{issuer}:sub": subject, f"{issuer}:aud": audience}},
        }
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def set_trust(self, document: str) -> None:
        self.world.client("iam").update_assume_role_policy(
            RoleName=self.role, PolicyDocument=document
        )

    def grant(self, *actions: str, bucket: str = "") -> None:
        arn = f"arn:aws:s3:::{bucket or self.bucket}"
        statement = {"Effect": "Allow", "Action": actions, "Resource": [arn, f"{arn}/*"]}
        self.world.client("iam").put_role_policy(
            RoleName=self.role,
            PolicyName="bucket",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def register(self, **changed: Any) -> None:
        """Replace the registration's resource, with `changed` fields."""
        (read,) = self.world.clouds.list_resources(self.cloud_id)
        self.world.clouds.update_resources(self.cloud_id, [read.model_copy(update=changed)])

    def start(self, **changed: str) -> None:
        """What the chart makes, in short; `changed` variables replace the right ones."""
        variables = {
            "ANYSCALE_CLOUD_DEPLOYMENT_ID": self.resource_id,
            "ANYSCALE_CONTROL_PLANE_URL": self.world.plane.url,
            "ANYSCALE_CLOUD_PROVIDER": "aws",
            "ANYSCALE_OPERATOR_VERSION": "1.8.0",
            "AWS_REGION": REGION,
            "ANYSCALE_REPORT_INTERVAL": "30s",
            "ANYSCALE_GATEWAY_ENABLED": "true",
            "ANYSCALE_GATEWAY_NAME": "gateway",
            "ANYSCALE_GATEWAY_NAMESPACE": self.namespace,
            "ANYSCALE_GATEWAY_HOSTNAME": self.address,
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
        template = {
            "metadata": {"labels": labels},
            "spec": {"serviceAccountName": ACCOUNT, "containers": [container]},
        }
        spec = {"selector": {"matchLabels": labels}, "template": template}
        self.create("deployments.apps", "Deployment", "anyscale-operator", spec=spec)

    def stop(self) -> None:
        """The end of its operator, which must have been started."""
        self.world.store.delete("deployments.apps", self.namespace, "anyscale-operator")

    def create(self, resource: str, kind: str, name: str, **content: Any) -> None:
        metadata = {"name": name, "namespace": self.namespace, **content.pop("metadata", {})}
        self.world.create(resource, {"kind": kind, "metadata": metadata, **content})

    def make_cloud_side(self) -> None:
        iam, s3 = self.world.client("iam"), self.world.client("s3")
        iam.create_role(
            RoleName=self.role,
            Path=f"/anyscale-k8s/{self.name}/",
            AssumeRolePolicyDocument=self.trust(),
        )
        self.grant(*BUCKET_ACTIONS)
        s3.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        cloud = self.world.clouds.create_cloud(
            NewCloud(name=self.name, provider="AWS", region=REGION, credentials=self.name)
        )
        resource = CloudResource(
            name="eks-1f3a9c2e",
            provider="AWS",
            region=REGION,
            object_storage=ObjectStorage(bucket_name=f"s3://{self.bucket}", region=REGION),
            kubernetes_config=KubernetesConfig(anyscale_operator_iam_identity=self.role_arn),
        )
        added = self.world.clouds.add_resource(cloud.id, resource)
        self.cloud_id, self.resource_id = cloud.id, added.cloud_resource_id

    def make_cluster_side(self) -> None:
        self.world.create("namespaces", {"metadata": {"name": self.namespace}})
        annotations = {"eks.amazonaws.com/role-arn": self.role_arn}
        self.create(
            "serviceaccounts", "ServiceAccount", ACCOUNT, metadata={"annotations": annotations}
        )
        self._make_rules()
        self.create(
            f"gateways.{_GATEWAY}",
            "Gateway",
            "gateway",
            apiVersion=f"{_GATEWAY}/v1",
            status={"addresses": [{"type": "Hostname", "value": self.address}]},
        )
        types = "2CPU-8GB: {resources: {CPU: 2, memory: 8Gi}}"
        self.create(
            "configmaps",
            "ConfigMap",
            "instance-types",
            metadata={"labels": {"anyscale.com/name": "instance-types"}},
            data={"version": "v1", "instance_types.yaml": types},
        )

    def _make_rules(self) -> None:
        verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
        core = ["configmaps", "services", "pods", "secrets", "events"]
        rules = [
            {"apiGroups": [""], "resources": core, "verbs": verbs},
            {"apiGroups": [_GATEWAY], "resources": ["httproutes", "gateways"], "verbs": verbs},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": verbs},
        ]
        self.create(f"roles.{_RBAC}", "Role", "operator", rules=rules)
        subjects = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace}]
        reference = {"apiGroup": _RBAC, "kind": "Role", "name": "operator"}
        self.create(
            f"rolebindings.{_RBAC}",
            "RoleBinding",
            "operator",
            subjects=subjects,
            roleRef=reference,
        )

    # -- looking ------------------------------------------------------------------

    def shown(self) -> Object:
        """The resource as the control plane shows it."""
        for cloud in self.world.plane.snapshot()["clouds"]:
            if cloud["id"] == self.cloud_id:
                return dict(cloud["resources"][0])
        return {}

    @property
    def status(self) -> str:
        return str(self.shown().get("operator_status", ""))

    def finding(self, component: str) -> tuple[str, str]:
        details = self.shown().get("operator_status_details") or {"check_results": []}
        for result in details["check_results"]:
            if result["name"] == component:
                return result["status"], result["details"]
        return "", ""

    def pods(self, **labels: str) -> list[Object]:
        return [
            pod
            for pod in self.world.store.items("pods", self.namespace)
            if labels.items() <= pod["metadata"].get("labels", {}).items()
        ]

    def heads(self) -> list[Object]:
        """The head pods of Ray clusters."""
        return self.pods(**{"ray-node-type": "head"})

    def routes(self) -> list[Object]:
        return list(self.world.store.items(f"httproutes.{_GATEWAY}", self.namespace))

    def certificates(self) -> list[str]:
        secrets = self.world.store.items("secrets", self.namespace)
        names = [item["metadata"]["name"] for item in secrets]
        return [name for name in names if name.endswith("-certificate")]

    def ready(self) -> bool:
        conditions = [
            condition
            for pod in self.pods(app="anyscale-operator")
            for condition in pod.get("status", {}).get("conditions", ())
        ]
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def events(self) -> str:
        events = self.world.store.items("events", self.namespace)
        return "\n".join(event.get("message", "") for event in events)

    async def healthy(self) -> None:
        """Return once all is well, for the control plane and for the cluster."""
        await eventually(lambda: self.status == "HEALTHY")
        await eventually(self.ready)

    async def never_admitted(self, words: str) -> None:
        """Return once the operator has said this; it must not be in by then."""
        await eventually(lambda: words in self.events())
        assert not self.ready()
        assert self.status == "UNSPECIFIED"


def definition(plural: str, kind: str) -> Object:
    """A definition of the Gateway API, without its schema."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{_GATEWAY}"},
        "spec": {
            "group": _GATEWAY,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [version],
        },
    }


@asynccontextmanager
async def running() -> AsyncIterator[World]:
    world = World()
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


@pytest.fixture
async def operators() -> AsyncIterator[World]:
    """The stand-ins, without an install."""
    async with running() as world:
        yield world


@pytest.fixture
async def install(operators: World) -> Install:
    return await operators.add("prod", "anyscale-operator")
