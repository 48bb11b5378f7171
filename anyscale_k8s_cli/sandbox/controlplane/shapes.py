"""What the API accepts, so that what it refuses is told as the real one tells it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anyscale_k8s_cli.sandbox.controlplane.refusals import invalid

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$", max_length=256)]


class Provider(StrEnum):
    AWS = "AWS"
    GCP = "GCP"
    AZURE = "AZURE"
    GENERIC = "GENERIC"


class Stack(StrEnum):
    VM = "VM"
    K8S = "K8S"
    KUBERAY = "KUBERAY"


class FileType(StrEnum):
    RUNTIME_ENV_PACKAGES = "runtime_env_packages"
    DATASETS = "datasets"
    AUDIT_LOGS = "audit_logs"
    WORKSPACE_DEPENDENCIES = "system_storage/workspace_tracking_dependencies"
    TEMPLATES = "system_storage/templates"
    WORKSPACES = "system_storage/workspaces"
    JOB_MESSAGES = "job_messages"


class AccessMode(StrEnum):
    READ = "READ"
    WRITE = "WRITE"


class OperatorHealth(StrEnum):
    UNSPECIFIED = "UNSPECIFIED"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    WARNING = "WARNING"
    DISCONNECTED = "DISCONNECTED"


class Body(BaseModel):
    """Unknown members are ignored, as by the real one."""

    model_config = ConfigDict(extra="ignore")


class CloudName(Body):
    name: str


class WriteCloud(Body):
    name: Name
    provider: Provider
    region: Annotated[str, Field(min_length=1)]
    credentials: str
    compute_stack: Stack = Stack.VM
    is_k8s: bool = False
    is_bring_your_own_resource: bool | None = None
    cluster_management_stack_version: str | None = None
    auto_add_user: bool = False
    is_private_cloud: bool = False
    lineage_tracking_enabled: bool = False
    config: dict[str, Any] | None = None


class ObjectStorage(Body):
    bucket_name: str
    region: str | None = None
    endpoint: str | None = None
    s3_addressing_style: str | None = None


class MountTarget(Body):
    address: str
    zone: str | None = None


class FileStorage(Body):
    persistent_volume_claim: str | None = None
    csi_ephemeral_volume_driver: str | None = None
    mount_targets: list[MountTarget] | None = None
    mount_path: str | None = None
    file_storage_id: str | None = None


class KubernetesConfig(Body):
    anyscale_operator_iam_identity: str | None = None
    zones: list[str] | None = None
    redis_endpoint: str | None = None
    custom_image_registry: str | None = None


class CloudDeployment(Body):
    name: Name | None = None
    provider: Provider
    compute_stack: Stack = Stack.VM
    region: str | None = None
    cloud_resource_id: str | None = None
    networking_mode: str | None = None
    object_storage: ObjectStorage | None = None
    file_storage: FileStorage | None = None
    kubernetes_config: KubernetesConfig | None = None
    aws_config: dict[str, Any] | None = None
    gcp_config: dict[str, Any] | None = None
    azure_config: dict[str, Any] | None = None


class PresignedUrlRequest(Body):
    file_type: FileType
    file_name: Annotated[str, Field(min_length=1)]
    access_mode: AccessMode
    cloud_resource_id: str | None = None


class ApiKeyParameters(Body):
    duration: Annotated[float, Field(gt=0)]
    user_id: str | None = None
    name: str = ""


class RevokeKeys(Body):
    api_key_ids: list[str]


class RegisterRequest(Body):
    message_base64: str


class Registration(Body):
    """What the stand-in operator says of itself. The real message is protobuf.

    `proof` shows who it is and `storage` lets its bucket be used for a while, each
    in the form of its cloud.
    """

    cloud_resource_id: str
    operator_version: str
    proof: dict[str, Any] | None = Field(default=None, repr=False)
    token: str | None = Field(default=None, repr=False)
    storage: dict[str, Any] | None = Field(default=None, repr=False)


class Check(Body):
    name: str
    status: OperatorHealth
    details: str = ""


class StatusReport(Body):
    status: OperatorHealth
    operator_version: str
    check_results: list[Check]
    active_workloads: int = 0
    storage: dict[str, Any] | None = Field(default=None, repr=False)


B = TypeVar("B", bound=BaseModel)


def fitting(shape: type[B], body: Any) -> B:
    """The body as a shape; raises 422 with the validator's list."""
    try:
        return shape.model_validate(body)
    except ValidationError as problem:
        raise invalid(problem) from None
