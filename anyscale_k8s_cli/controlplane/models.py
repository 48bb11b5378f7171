"""The shapes of the API, as far as Kubernetes clouds need them.

Reading is generous: unknown fields are kept (an update replaces a resource as
a whole and must not drop what a newer server put there) and enumerations are
plain text, so that a new value breaks nothing. The enumerations below are the
values we send or act on.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class CloudProvider(StrEnum):
    AWS = "AWS"
    GCP = "GCP"
    AZURE = "AZURE"
    GENERIC = "GENERIC"


class CloudState(StrEnum):
    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    VERIFICATION_FAILED = "VERIFICATION_FAILED"
    DELETING = "DELETING"
    DELETED = "DELETED"


class OperatorStatus(StrEnum):
    UNSPECIFIED = "UNSPECIFIED"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    DISCONNECTED = "DISCONNECTED"


COMPUTE_STACK = "K8S"


class Shape(BaseModel):
    """The base: immutable, and generous with what it does not know."""

    model_config = ConfigDict(extra="allow", frozen=True)

    def payload(self) -> dict[str, Any]:
        """As JSON to send, without the fields that are not set."""
        return self.model_dump(mode="json", exclude_none=True)


class Organization(Shape):
    id: str
    name: str = ""
    default_cloud_id: str | None = None


class UserInfo(Shape):
    id: str
    email: str = ""
    name: str = ""
    organization_permission_level: str = ""
    organization_ids: tuple[str, ...] = ()
    organizations: tuple[Organization, ...] = ()


class NewCloud(Shape):
    """What creating a cloud sends; see :func:`placeholder_credentials` for `credentials`."""

    name: str
    provider: str
    region: str
    credentials: str = Field(repr=False)
    auto_add_user: bool = True
    compute_stack: str = COMPUTE_STACK
    is_k8s: bool = True
    is_bring_your_own_resource: bool = True
    cluster_management_stack_version: str = "v2"


class Cloud(Shape):
    id: str
    name: str
    provider: str = ""
    region: str = ""
    compute_stack: str | None = None
    status: str = ""
    state: str | None = None
    is_default: bool = False
    is_k8s: bool | None = None
    is_aggregated_logs_enabled: bool | None = None
    creator_id: str = ""
    created_at: datetime | None = None
    credentials: str | None = Field(default=None, repr=False)

    @property
    def deleting(self) -> bool:
        return self.state in (CloudState.DELETING, CloudState.DELETED)


class ObjectStorage(Shape):
    """`bucket_name` carries a scheme (`s3://…`) and no path below the bucket."""

    bucket_name: str
    region: str | None = None
    endpoint: str | None = None
    s3_addressing_style: str | None = None


class MountTarget(Shape):
    address: str
    zone: str | None = None


class FileStorage(Shape):
    """One of claim, driver and mount targets; they exclude each other."""

    persistent_volume_claim: str | None = None
    csi_ephemeral_volume_driver: str | None = None
    mount_targets: tuple[MountTarget, ...] | None = None
    mount_path: str | None = None
    file_storage_id: str | None = None


class KubernetesConfig(Shape):
    """`anyscale_operator_iam_identity` is a role's ARN, an e-mail address or a principal's id."""

    anyscale_operator_iam_identity: str | None = None
    zones: tuple[str, ...] | None = None
    redis_endpoint: str | None = None
    custom_image_registry: str | None = None


class CloudResource(Shape):
    """One cluster's registration inside a cloud. The caller always names it."""

    name: str
    provider: str
    region: str | None = None
    compute_stack: str | None = COMPUTE_STACK
    cloud_resource_id: str | None = None
    networking_mode: str | None = None
    object_storage: ObjectStorage | None = None
    file_storage: FileStorage | None = None
    kubernetes_config: KubernetesConfig | None = None
    aws_config: dict[str, Any] | None = None
    gcp_config: dict[str, Any] | None = None
    azure_config: dict[str, Any] | None = None


class CheckResult(Shape):
    name: str
    status: str
    details: str | None = None


class OperatorStatusDetails(Shape):
    operator_version: str | None = None
    check_results: tuple[CheckResult, ...] = ()
    reported_at: datetime | None = None


# What the server adds when a resource is read, and does not want back.
_DECORATION = frozenset(
    {
        "created_at",
        "is_default",
        "operator_status",
        "operator_status_details",
        "connector_status",
        "connector_status_details",
        "cloud_deployment_id",
    }
)


class DecoratedCloudResource(CloudResource):
    """A resource as it is read: with its id, and what its operator last reported."""

    cloud_resource_id: str
    created_at: datetime | None = None
    is_default: bool = False
    operator_status: str | None = None
    operator_status_details: OperatorStatusDetails | None = None

    @property
    def healthy(self) -> bool:
        return self.operator_status == OperatorStatus.HEALTHY

    @property
    def reported_at(self) -> datetime | None:
        details = self.operator_status_details
        return details.reported_at if details else None

    def undecorated(self) -> dict[str, Any]:
        """What an update sends for this resource when nothing is to change."""
        return self.model_dump(mode="json", exclude_none=True, exclude=set(_DECORATION))


class PresignedUrl(Shape):
    """`url_scheme` is `http` for a signed address; anything else cannot be used by us."""

    url: str = Field(repr=False)
    url_scheme: str = "http"
    file_uri: str = ""
    file_exists: bool | None = None


class ServiceAccount(Shape):
    """`id` is its place in the organisation, by which it is removed; keys are `user_id`'s."""

    id: str
    user_id: str
    name: str
    email: str = ""


class ApiKey(Shape):
    """What is told of a key, which is never the token itself."""

    hex_hashed_id: str
    name: str | None = None
    expires_at: datetime
    revoked_at: datetime | None = None

    @property
    def id(self) -> str:
        return self.hex_hashed_id
