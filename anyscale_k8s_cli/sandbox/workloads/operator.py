"""What the image of the Anyscale operator does in the stand-in cluster.

It becomes ready only when its surroundings really work: its service account is
admitted by the role's trust policy, its bucket can be used, its Gateway has the
address from the values, its id is registered, its token is valid. Everything
goes over HTTP, so each wrong wire fails in its own way, as in life.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.workloads import operator_checks as checks
from anyscale_k8s_cli.sandbox.workloads.api import ApiFailure, PodApi
from anyscale_k8s_cli.sandbox.workloads.operator_aws import Aws
from anyscale_k8s_cli.sandbox.workloads.operator_azure import (
    CLIENT_SECRET,
    TOKEN_FILE,
    Azure,
    BlobsAlone,
)
from anyscale_k8s_cli.sandbox.workloads.operator_checks import Component, Finding, examine
from anyscale_k8s_cli.sandbox.workloads.operator_cloud import (
    CloudFailure,
    CloudSession,
    OperatorCloud,
)
from anyscale_k8s_cli.sandbox.workloads.operator_config import BadConfig, OperatorConfig
from anyscale_k8s_cli.sandbox.workloads.operator_google import KEY_FILE, Google, MountedFile
from anyscale_k8s_cli.sandbox.workloads.operator_objects import ManagedObjects
from anyscale_k8s_cli.sandbox.workloads.operator_plane import OperatorPlane, PlaneRefused
from anyscale_k8s_cli.sandbox.workloads.operator_s3 import MountedKeys

IMAGE = "kubernetes_manager"
VALIDATE = "validate-instance-types"
# Seconds between two looks while something is still missing.
_IMPATIENT = 0.3
_CALL_SECONDS = 20.0
# Where the operator tells of itself.
_STATUS_PORT = 2113


@dataclass(frozen=True)
class OperatorImage:
    """The image, in its two uses: the operator itself, and the chart's hook Job.

    `authority` signs for the API server and for a control plane on TLS. Once all
    is well the surroundings are verified again every `recheck_seconds`. `names` is the
    proxy that leads to a store whose buckets are named by hosts, which in life the
    cluster's own names do; empty where there is none.
    """

    authority: Authority
    recheck_seconds: float = 3.0
    names: Callable[[], str] = str

    def matches(self, image: str) -> bool:
        return image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[0] == IMAGE

    async def run(self, pod: Pod) -> int:
        container = next(
            item for item in pod.manifest["spec"]["containers"] if self.matches(item["image"])
        )
        connector = aiohttp.TCPConnector(ssl=self.authority.client_context())
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            environ = pod.environment(container["name"])
            if proxy := self.names():
                environ = {"HTTP_PROXY": proxy, **environ}
            if VALIDATE in [*(container.get("command") or ()), *(container.get("args") or ())]:
                return await validate_instance_types(pod, environ, http)
            try:
                config = OperatorConfig.read(environ)
            except BadConfig as problem:
                pod.log(f"ERROR cannot start: {problem}")
                return 1
            async with PodApi(pod, self.authority) as api:
                return await Operator(pod, config, http, api, self.recheck_seconds).run()


async def validate_instance_types(
    pod: Pod, environ: dict[str, str], http: aiohttp.ClientSession
) -> int:
    """The hook Job: ask the control plane about the planned instance types, once."""
    try:
        config = OperatorConfig.read(environ)
        review = json.loads(environ["ANYSCALE_ADMISSION_REVIEW"])
        answer = await OperatorPlane(http, config.control_plane).admission(
            config.resource_id, review
        )
    except (BadConfig, KeyError, ValueError) as problem:
        pod.log(f"ERROR nothing to validate: {problem}")
        return 1
    except PlaneRefused as refused:
        pod.log(f"ERROR instance types could not be validated: {refused}")
        return 1
    if not answer["allowed"]:
        pod.log(f"ERROR instance types refused: {answer['status']['message']}")
        return 1
    pod.log("INFO  instance types are valid")
    return 0


@dataclass
class Operator:
    """One process of the operator, from its start to its end."""

    pod: Pod
    config: OperatorConfig
    http: aiohttp.ClientSession
    api: PodApi
    recheck_seconds: float
    session: str = ""
    storage: dict[str, Any] = field(default_factory=dict)
    domain: str = ""
    interval: float = 0.0
    cloud_session: CloudSession | None = None
    # Whom the cloud took it for, the last time that it was asked.
    held: str = ""
    ready: bool = False
    # The registration has gone or is going: make nothing new, and clear away what was made.
    leaving: bool = False
    cleared: bool = True
    # Ray clusters: how many there are, and how many there should be once that is known. An
    # operator that starts again finds those of the one before it.
    running: int = 0
    wanted: int | None = None
    findings: dict[Component, Finding] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.plane = OperatorPlane(self.http, self.config.control_plane)
        self.cloud = cloud_of(self.config, self.http, self.pod)
        self.cluster = checks.ClusterChecks(self.pod, self.api, self.config)
        self.objects = ManagedObjects(self.pod.namespace, self.api, self.config)
        self.interval = self.config.report_interval

    async def run(self) -> int:
        """Verify, register, report; until the pod ends."""
        self.pod.log(
            f"INFO  starting, version {self.config.version}, cloud resource "
            f"{self.config.resource_id}, control plane {self.config.control_plane}"
        )
        self.pod.serve(_STATUS_PORT, self._page)
        await self.pod.set_ready(False, reason="ContainersNotReady", message="starting")
        loop = asyncio.get_running_loop()
        verify_at = 0.0
        while True:
            if loop.time() >= verify_at or not self.healthy:
                await self.verify()
                verify_at = loop.time() + self.recheck_seconds
            await self.settle()
            await asyncio.sleep(self.interval if self.ready else min(_IMPATIENT, self.interval))

    async def _page(self, path: str) -> tuple[int, Any]:
        if path == "/healthz/run":
            return (200, {"healthy": True}) if self.healthy else (503, {"healthy": False})
        if path != "/config":
            return 404, {"error": "not found"}
        gateway = self.config.gateway
        shown = {"enable": gateway is not None, "name": gateway.name if gateway else ""}
        return 200, {"iamIdentity": self.held, "gateway": shown}

    @property
    def healthy(self) -> bool:
        return bool(self.findings) and all(finding.healthy for finding in self.findings.values())

    async def verify(self) -> None:
        """Look at every component; registration comes first, since it tells the bucket."""
        await self._verify_identity()
        await self._record(Component.KUBERNETES_VERSION, self.cluster.version)
        await self._record(Component.KUBERNETES_PERMISSIONS, self.cluster.permissions)
        await self._record(Component.GATEWAY_RESOURCES, self.cluster.gateway)
        await self._record(Component.INSTANCE_TYPES, self.cluster.instance_types)
        await self._record(Component.CLOUD_RESOURCES, self._registered)
        await self._record(Component.STORAGE_BUCKET, self._bucket)
        if not self.healthy:
            # An expired or withdrawn session shows up in the bucket first.
            self.cloud_session = None

    async def settle(self) -> None:
        """Make what belongs there, report, and become ready or leave."""
        try:
            await self._manage()
        except (ApiFailure, aiohttp.ClientError) as failure:
            self._say("objects", f"ERROR cannot manage objects: {failure}")
        if not self.session:
            await self._unready()
            return
        await self._report()
        if self.healthy and self.session and not self.ready:
            self.ready = True
            await self.pod.set_ready(True)
            self.pod.log("INFO  all registration checks passed, ready")
        elif not self.ready:
            await self._unready()

    async def _manage(self) -> None:
        if not self.cleared:
            removed = await self.objects.clear()
            self.cleared = True
            self.pod.log(f"INFO  removed {removed} objects")
        elif self.session and not self.leaving:
            if await self.objects.ensure_certificate(self.domain):
                self.pod.log(f"INFO  created secret {self.config.certificate_secret}")
            self.running = await self.objects.run_workloads(self.wanted)
        self.told.pop("objects", None)

    async def _verify_identity(self) -> None:
        async def identity() -> str:
            if self.config.token:
                return "an Anyscale token is used"
            if self.cloud_session is None:
                self.cloud_session = await self.cloud.session()
                self.held = await self.cloud_session.identity()
            return f"credentials from {self.cloud_session.source}"

        await self._record(Component.IAM_IDENTITY, identity)

    async def _registered(self) -> str:
        if self.session:
            return f"cloud resource {self.config.resource_id} is registered"
        if not self.config.token and self.cloud_session is None:
            raise checks.Unwell("not registered: the operator has no identity to show")
        message: dict[str, Any] = {
            "cloud_resource_id": self.config.resource_id,
            "operator_version": self.config.version,
            "storage": await self._storage_keys(),
        }
        if self.config.token:
            message["token"] = self.config.token
        elif self.cloud_session is not None:
            message["proof"] = await self.cloud_session.proof()
        try:
            answer = await self.plane.register(message)
        except PlaneRefused as refused:
            if refused.status == 403 and self.ready and "is not registered" in refused.detail:
                self._leave(refused.detail)
            raise checks.Unwell(f"registration failed: {refused}") from refused
        self.session = answer["session_token"]
        self.storage, self.domain = answer["object_storage"], answer["user_domain"]
        self.interval = min(self.config.report_interval, answer["report_interval_seconds"])
        self.leaving = False
        self.pod.log(f"INFO  registered with {self.config.control_plane}")
        return f"cloud resource {self.config.resource_id} is registered"

    async def _bucket(self) -> str:
        if not self.storage:
            raise checks.Unwell("the bucket is not known before the registration")
        if self.cloud_session is None:
            self.cloud_session = await self._optional_session()
        return await checks.bucket(self.cloud_session, self.storage)

    async def _optional_session(self) -> CloudSession:
        """Keys for the bucket beside a token, which proves the identity but opens no bucket."""
        try:
            return await self.cloud.session()
        except CloudFailure as failure:
            raise checks.Unwell(f"no credentials for the bucket: {failure}") from failure

    async def _report(self) -> None:
        report = {
            "status": "HEALTHY" if self.healthy else "UNHEALTHY",
            "operator_version": self.config.version,
            "check_results": [finding.as_json() for finding in self.findings.values()],
            "active_workloads": self.running,
            "storage": await self._storage_keys(),
        }
        try:
            answer = await self.plane.report(self.session, report)
        except PlaneRefused as refused:
            self._not_heard(refused)
            return
        self.told.pop("report", None)
        self.wanted = int(answer["workloads"])
        if answer["registration"] == "deleting":
            self._leave("the cloud is being deleted")

    def _not_heard(self, refused: PlaneRefused) -> None:
        self._say("report", f"WARN  status was not reported: {refused}")
        if refused.status in (401, 404):
            self.session = ""
        if refused.status == 404:
            self._leave(str(refused))

    def _leave(self, why: str) -> None:
        """Clear away what was made, from the next round on; the process itself goes on."""
        if not self.leaving:
            self.leaving, self.cleared, self.running = True, False, 0
            self.pod.log(f"INFO  removing what this operator made: {why}")

    async def _unready(self) -> None:
        reasons = [
            f"{finding.component}: {finding.details}"
            for finding in self.findings.values()
            if not finding.healthy
        ]
        message = "; ".join(reasons) or "not registered"
        if self.told.get("ready") != message:
            self.told["ready"] = message
            await self.pod.set_ready(False, reason="ContainersNotReady", message=message)
        self.ready = False

    async def _record(self, component: Component, check: Any) -> None:
        if component in self.config.excluded:
            return
        before, after = self.findings.get(component), await examine(component, check)
        self.findings[component] = after
        if before == after:
            return
        level = "INFO " if after.healthy else "ERROR"
        self.pod.log(f"{level} check {component}: {after.details}")
        if not after.healthy:
            await self.pod.event("CheckFailed", f"{component}: {after.details}", warning=True)

    def _say(self, topic: str, line: str) -> None:
        """Log a line once, until something else is said about its topic."""
        if self.told.get(topic) != line:
            self.told[topic] = line
            self.pod.log(line)

    async def _storage_keys(self) -> dict[str, Any] | None:
        if self.cloud_session is None:
            return None
        try:
            return await self.cloud_session.storage_keys()
        except CloudFailure as failure:
            self._say("keys", f"WARN  no keys for the control plane: {failure}")
            return None


def store_of(config: OperatorConfig, http: aiohttp.ClientSession, pod: Pod) -> OperatorCloud:
    """What opens the store for the container, where no cloud vouches for it."""
    if config.environ.get(KEY_FILE):
        return MountedFile(Google(http, config, pod.token), pod.file, pod.token_file)
    if config.environ.get(CLIENT_SECRET) or config.environ.get(TOKEN_FILE):
        return BlobsAlone(Azure(http, config, pod.token_file))
    return MountedKeys(http, config, pod.file, pod.token_file)


def cloud_of(config: OperatorConfig, http: aiohttp.ClientSession, pod: Pod) -> OperatorCloud:
    """The cloud whose SDK this operator would use."""
    if config.provider == "azure":
        return Azure(http, config, pod.token_file)
    if config.provider == "gcp":
        return Google(http, config, pod.token)
    if config.provider == "generic":
        return store_of(config, http, pod)
    return Aws(http, config, pod.token)
