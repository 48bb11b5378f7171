"""Clouds and their resources: what exists, and what is refused.

Texts of refusals follow the real ones where they are known.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import ConfigDict

from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused, not_found
from anyscale_k8s_cli.sandbox.controlplane.shapes import (
    Check,
    CloudDeployment,
    OperatorHealth,
    Provider,
    Stack,
    WriteCloud,
)

Clock = Callable[[], datetime]

_BUCKET = re.compile(r"[a-z][a-z0-9]*://[^/]+/?")
_PLACEHOLDER_BUCKETS = ("s3://my-bucket", "gs://my-bucket")
_PLACEHOLDER_ACCOUNT = "123456789012"
_SCHEMES = {Provider.AWS: ("s3",), Provider.GCP: ("gs",), Provider.AZURE: ("abfss", "azure")}


@dataclass(frozen=True)
class Behaviour:
    """How slow and how fragile the real one is, in seconds and counts.

    `add_failures` answers of 503 meet the first attempts to add a resource to a
    new cloud. An operator that has not reported for `disconnected_after` is
    shown as disconnected.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    activation: float = 0.3
    deletion: float = 0.5
    add_failures: int = 1
    disconnected_after: float = 5.0
    report_interval: float = 1.0


@dataclass
class Operator:
    """What is known of a resource's operator. `wanted_workloads` is what it is told to run.

    It is `shut_out` while the token that it registered with is worth nothing any more.
    """

    version: str = ""
    status: OperatorHealth = OperatorHealth.UNSPECIFIED
    checks: list[Check] = field(default_factory=list)
    reported_at: datetime | None = None
    shut_out: bool = False
    active_workloads: int = 0
    wanted_workloads: int = 0
    storage: dict[str, Any] | None = field(default=None, repr=False)


@dataclass
class Resource:
    id: str
    name: str
    content: dict[str, Any]
    created_at: datetime
    is_default: bool
    operator: Operator = field(default_factory=Operator)

    @property
    def workloads(self) -> int:
        return max(self.operator.active_workloads, self.operator.wanted_workloads)


@dataclass
class Cloud:
    id: str
    content: dict[str, Any]
    creator_id: str
    created_at: datetime
    ready_at: datetime
    add_failures_left: int
    is_default: bool
    deleting: bool = False
    gone_at: datetime | None = None
    resources: list[Resource] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.content["name"])


@dataclass
class Registry:
    """Every cloud of the organisation. What depends on time is settled when it is asked."""

    clock: Clock
    behaviour: Behaviour
    _clouds: dict[str, Cloud] = field(default_factory=dict)

    def clouds(self) -> list[Cloud]:
        now = self.clock()
        gone = [c.id for c in self._clouds.values() if c.gone_at is not None and now >= c.gone_at]
        for cloud_id in gone:
            del self._clouds[cloud_id]
        return list(self._clouds.values())

    def cloud(self, cloud_id: str) -> Cloud:
        found = next((cloud for cloud in self.clouds() if cloud.id == cloud_id), None)
        if found is None:
            raise not_found("Cloud", cloud_id)
        return found

    def resource(self, resource_id: str) -> tuple[Cloud, Resource] | None:
        """A resource by its id, with its cloud."""
        for cloud in self.clouds():
            for resource in cloud.resources:
                if resource.id == resource_id:
                    return cloud, resource
        return None

    def create(self, new: WriteCloud, creator_id: str) -> Cloud:
        """Names may repeat; an AWS cloud's credentials may not."""
        self._check_credentials(new)
        if new.compute_stack is not Stack.K8S:
            raise Refused(400, f"Clouds of stack {new.compute_stack} need the VM resource fields.")
        now = self.clock()
        cloud = Cloud(
            id=f"cld_{secrets.token_hex(12)}",
            content=new.model_dump(mode="json"),
            creator_id=creator_id,
            created_at=now,
            ready_at=now + timedelta(seconds=self.behaviour.activation),
            add_failures_left=self.behaviour.add_failures,
            is_default=not self._clouds,
        )
        self._clouds[cloud.id] = cloud
        return cloud

    def add(self, cloud_id: str, deployment: CloudDeployment) -> None:
        cloud = self.cloud(cloud_id)
        if cloud.add_failures_left > 0:
            cloud.add_failures_left -= 1
            raise Refused(503, "The cloud is not ready to take resources.")
        self._check_alive(cloud)
        check_deployment(deployment)
        name = deployment.name or self._generated_name(cloud, deployment)
        if any(resource.name == name for resource in cloud.resources):
            raise Refused(409, f"A cloud deployment with name {name} already exists in this cloud.")
        content = deployment.model_dump(mode="json", exclude_none=True)
        content["name"] = name
        content.pop("cloud_resource_id", None)
        cloud.resources.append(
            Resource(
                id=f"cldrsrc_{secrets.token_hex(12)}",
                name=name,
                content=content,
                created_at=self.clock(),
                is_default=not cloud.resources,
            )
        )

    def update(self, cloud_id: str, deployments: list[CloudDeployment]) -> None:
        """All or nothing."""
        cloud = self.cloud(cloud_id)
        self._check_alive(cloud)
        known = {resource.id: resource for resource in cloud.resources}
        for deployment in deployments:
            check_deployment(deployment)
            if deployment.cloud_resource_id not in known:
                raise not_found("Cloud resource", str(deployment.cloud_resource_id))
            if deployment.name != known[deployment.cloud_resource_id].name:
                raise Refused(400, "The name of a cloud resource cannot be changed.")
        for deployment in deployments:
            content = deployment.model_dump(mode="json", exclude_none=True)
            known[content.pop("cloud_resource_id")].content = content

    def find(self, cloud_id: str, name: str) -> Resource:
        cloud = self.cloud(cloud_id)
        found = next((item for item in cloud.resources if item.name == name), None)
        if found is None:
            raise not_found("Cloud resource", name)
        return found

    def remove(self, cloud_id: str, name: str) -> None:
        resource = self.find(cloud_id, name)
        if resource.is_default:
            raise Refused(400, f"Cannot remove the primary cloud resource {name} of a cloud.")
        if resource.workloads:
            raise Refused(409, f"Cloud resource {name} has active workloads.")
        self.cloud(cloud_id).resources.remove(resource)

    def set_state(self, cloud_id: str, state: str) -> None:
        if state != "DELETING":
            raise Refused(400, f"The state of a cloud cannot be set to {state}.")
        self.cloud(cloud_id).deleting = True

    def delete(self, cloud_id: str, *, force: bool) -> None:
        """Begin the deletion; the record goes a little later.

        Nothing new may start before: with resources, DELETING must have been set.
        """
        cloud = self.cloud(cloud_id)
        if cloud.resources and not cloud.deleting:
            raise Refused(409, f"Cloud {cloud.name} is not in the state DELETING.")
        active = sum(resource.workloads for resource in cloud.resources)
        if active and not force:
            raise Refused(
                409,
                f"Cloud {cloud.name} has {active} active workload(s). Terminate them before "
                "deleting the cloud.",
            )
        cloud.deleting = True
        if cloud.gone_at is None:
            cloud.gone_at = self.clock() + timedelta(seconds=self.behaviour.deletion)

    def _check_credentials(self, new: WriteCloud) -> None:
        if new.provider is Provider.AWS:
            if not new.credentials:
                raise Refused(400, "AWS clouds need credentials.")
            if any(
                cloud.content["credentials"] == new.credentials
                for cloud in self.clouds()
                if cloud.content["provider"] == Provider.AWS
            ):
                raise Refused(409, "Another cloud uses these credentials already.")
        if new.provider is Provider.GCP:
            try:
                fields = set(json.loads(new.credentials))
            except (ValueError, TypeError):
                raise Refused(400, "GCP credentials must be JSON.") from None
            if missing := {"provider_id", "project_id", "service_account_email"} - fields:
                raise Refused(400, f"GCP credentials lack {', '.join(sorted(missing))}.")

    def _check_alive(self, cloud: Cloud) -> None:
        if cloud.deleting:
            raise Refused(409, f"Cloud {cloud.name} is being deleted.")

    def _generated_name(self, cloud: Cloud, deployment: CloudDeployment) -> str:
        """What the server calls a resource that comes without a name."""
        parts = (deployment.compute_stack, deployment.provider, deployment.region or "default")
        base = "-".join(parts).lower()
        taken = {resource.name for resource in cloud.resources}
        names = [base, *(f"{base}-{number}" for number in range(1, len(taken) + 1))]
        return next(name for name in names if name not in taken)


def check_deployment(deployment: CloudDeployment) -> None:
    """Raises 400 for a resource that cannot work."""
    if deployment.compute_stack is not Stack.K8S:
        raise Refused(400, f"Resources of stack {deployment.compute_stack} are not served here.")
    if deployment.object_storage is None:
        raise Refused(400, "object_storage is required for Kubernetes cloud resources.")
    _check_bucket(deployment.provider, deployment.object_storage.bucket_name)
    storage = deployment.file_storage
    if storage is not None:
        ways = (
            storage.persistent_volume_claim,
            storage.csi_ephemeral_volume_driver,
            storage.mount_targets,
        )
        if sum(way is not None for way in ways) > 1:
            raise Refused(
                400,
                "Only one of persistent_volume_claim, csi_ephemeral_volume_driver and "
                "mount_targets can be set.",
            )
    config = deployment.kubernetes_config
    identity = (config.anyscale_operator_iam_identity if config else None) or ""
    if _PLACEHOLDER_ACCOUNT in identity:
        raise Refused(400, f"The account {_PLACEHOLDER_ACCOUNT} is a placeholder.")


def _check_bucket(provider: Provider, bucket: str) -> None:
    if not _BUCKET.match(bucket):
        raise Refused(400, f"bucket_name {bucket} must start with a scheme, such as s3://.")
    if not _BUCKET.fullmatch(bucket):
        raise Refused(400, f"bucket_name {bucket} must not name a path below the bucket.")
    if bucket.rstrip("/") in _PLACEHOLDER_BUCKETS:
        raise Refused(400, f"bucket_name {bucket} is a placeholder.")
    schemes = _SCHEMES.get(provider)
    if schemes and bucket.split("://", 1)[0] not in schemes:
        raise Refused(400, f"bucket_name of a cloud on {provider} must start with {schemes[0]}://.")
