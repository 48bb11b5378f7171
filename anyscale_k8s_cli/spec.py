"""CloudSpec: everything a user may say about a cloud, validated once.

One model stands behind the flags and behind `-f cloud.yaml`. What is said
outright beats what is lying around: a flag wins over the file, the file over
the environment. Every field names its flag or says that only the file has it;
a test compares that with the commands.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from anyscale_k8s_cli.pod_words import (
    Certificates,
    LabelKey,
    LabelValue,
    ProxyUrl,
    Registry,
    SecretName,
    Toleration,
    UnproxiedHost,
)

SPEC_VERSION: Literal["anyscale-k8s/cloud/v1"] = "anyscale-k8s/cloud/v1"
DEFAULT_NAMESPACE = "anyscale-operator"


@dataclass(frozen=True)
class Flag:
    """The option that sets a field."""

    name: str


class FileOnly:
    """The field can be set in the file alone."""


FILE_ONLY = FileOnly()


class Particular:
    """Some platforms know the field and the others have no use for it.

    Each provider lists those it knows; the rest is refused when it is given.
    """


PARTICULAR = Particular()

# What tells the operator's token: known on every platform without workload identity.
TOKEN_FIELDS = frozenset(
    {"operator.service_account", "operator.token_lifetime", "operator.use_my_token"}
)


def _word(value: Any) -> Any:
    """YAML takes `off` and `on` for truth values."""
    return {False: "off", True: "on"}[value] if isinstance(value, bool) else value


AutoOrOff = Annotated[Literal["auto", "off"], BeforeValidator(_word)]
OnOrOff = Annotated[Literal["on", "off"], BeforeValidator(_word)]


def _cidr(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError as problem:
        raise ValueError(f"{problem}; give a network such as 203.0.113.0/24") from None


# An Anyscale cloud's name is immutable and becomes part of every object's name.
CloudName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$", max_length=63)
]
DnsLabel = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)
]
NamePrefix = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=20)
]
NamespacedName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"),
]
HostAndPort = Annotated[str, StringConstraints(pattern=r"^[^\s:/]+:[0-9]{1,5}$")]
# A DNS name or an IP address, without port or scheme.
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$")]
# An address, or the zone that it serves before it (`us-west-2a,10.0.0.5`).
MountTarget = Annotated[str, StringConstraints(pattern=r"^([^\s,]+,)?[^\s,]+$")]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=128)]
TagValue = Annotated[str, StringConstraints(max_length=256)]
Cidr = Annotated[str, AfterValidator(_cidr)]


def _narrowing(networks: tuple[str, ...]) -> tuple[str, ...]:
    """None where one of them is everybody: that narrows nothing, as if nothing were said."""
    everybody = any(ip_network(network).prefixlen == 0 for network in networks)
    return () if everybody else networks


Cidrs = Annotated[tuple[Cidr, ...], AfterValidator(_narrowing)]


class Addressing(StrEnum):
    """Where a request to an S3 store names the bucket: in its path, or in the host's name."""

    PATH = "path"
    VIRTUAL = "virtual"


class Checksums(StrEnum):
    """When an S3 client sends and checks checksums, in the words of the SDKs' config file.

    `when_supported` is the SDKs' default, which some stores refuse.
    """

    WHEN_REQUIRED = "when_required"
    WHEN_SUPPORTED = "when_supported"


class _Part(BaseModel):
    # The whole is built once, where it is used, and no part for itself before.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ClusterSpec(_Part):
    """Which cluster. A context is read, never switched."""

    name: Annotated[str | None, Flag("--cluster-name")] = None
    context: Annotated[str | None, Flag("--context")] = None
    kubeconfig: Annotated[Path | None, Flag("--kubeconfig")] = None


class AccountSpec(_Part):
    """Whose account, in each platform's own words.

    Compared with what the credentials say, before any change.
    """

    id: Annotated[str | None, Flag("--account-id"), PARTICULAR] = None
    project_id: Annotated[str | None, Flag("--project-id"), PARTICULAR] = None
    subscription_id: Annotated[str | None, Flag("--subscription-id"), PARTICULAR] = None
    resource_group: Annotated[str | None, Flag("--resource-group"), PARTICULAR] = None
    compartment_id: Annotated[str | None, Flag("--compartment-id"), PARTICULAR] = None

    @property
    def scope(self) -> str | None:
        """What `Install.account` is, by whichever word it was given."""
        return self.id or self.project_id or self.subscription_id or self.compartment_id


class CredentialsSpec(_Part):
    """Which credentials of this machine are used."""

    aws_profile: Annotated[str | None, Flag("--aws-profile"), PARTICULAR] = None
    impersonate: Annotated[str | None, Flag("--impersonate-service-account"), PARTICULAR] = None
    google_key_file: Annotated[Path | None, Flag("--google-key-file"), PARTICULAR] = None


class FileStorageSpec(_Part):
    """Storage that pods share: a claim, a driver, or NFS, and no more than one of them."""

    persistent_volume_claim: Annotated[str | None, Flag("--persistent-volume-claim")] = None
    csi_ephemeral_volume_driver: Annotated[str | None, Flag("--csi-ephemeral-volume-driver")] = None
    nfs_mount_targets: Annotated[tuple[MountTarget, ...], Flag("--nfs-mount-target")] = ()
    nfs_mount_path: Annotated[str | None, Flag("--nfs-mount-path")] = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = (
            self.persistent_volume_claim,
            self.csi_ephemeral_volume_driver,
            self.nfs_mount_targets,
        )
        if sum(map(bool, kinds)) > 1:
            raise ValueError(
                "give one of --persistent-volume-claim, --csi-ephemeral-volume-driver and "
                "--nfs-mount-target"
            )
        if self.nfs_mount_path and not self.nfs_mount_targets:
            raise ValueError("--nfs-mount-path needs an --nfs-mount-target")
        return self


class ExistingSpec(_Part):
    """What the user already has: adopted, never written, never deleted."""

    bucket: Annotated[str | None, Flag("--bucket")] = None
    identity: Annotated[str | None, Flag("--identity")] = None
    identity_provider: Annotated[str | None, Flag("--identity-provider"), PARTICULAR] = None
    identity_audience: Annotated[str | None, FILE_ONLY, PARTICULAR] = Field(
        default=None,
        description="Whom the tokens are made for that the cluster proves itself with, where it "
        "is not the one that the cloud usually admits.",
    )
    oidc_provider: Annotated[Literal["use", "create"], Flag("--oidc-provider"), PARTICULAR] = (
        "create"
    )
    storage_keys: Annotated[
        Literal["use", "create", "federation"], Flag("--storage-keys"), PARTICULAR
    ] = "create"
    gateway: Annotated[NamespacedName | None, Flag("--gateway")] = None
    zones: Annotated[tuple[str, ...], Flag("--kubernetes-zones")] = ()
    redis_endpoint: Annotated[HostAndPort | None, Flag("--kubernetes-redis-endpoint")] = None
    file_storage: Annotated[FileStorageSpec, FILE_ONLY] = Field(default_factory=FileStorageSpec)


class StorageSpec(_Part):
    """The object store, on platforms that have none of their own or leave a choice.

    Its keys are no part of this: they come from variables, a profile or a file. Where
    the kind is not said, a bucket's scheme tells it, else it is S3.
    """

    kind: Annotated[Literal["s3", "gcs", "azure"] | None, Flag("--storage-kind"), PARTICULAR] = None
    location: Annotated[str | None, Flag("--storage-location"), PARTICULAR] = None
    account: Annotated[str | None, Flag("--storage-account"), PARTICULAR] = None
    endpoint: Annotated[str | None, Flag("--storage-endpoint"), PARTICULAR] = None
    region: Annotated[str | None, Flag("--storage-region"), PARTICULAR] = None
    addressing: Annotated[
        Literal["path", "virtual"] | None, Flag("--storage-addressing"), PARTICULAR
    ] = None
    checksums: Annotated[
        Literal["when_required", "when_supported"] | None, Flag("--storage-checksums"), PARTICULAR
    ] = None


class IdentitySpec(_Part):
    """How the operator, and Ray's pods, are known to their cloud, where there is a choice."""

    kind: Annotated[
        Literal["auto", "irsa", "pod-identity"], Flag("--identity-kind"), PARTICULAR
    ] = "auto"
    workloads: Annotated[Literal["same", "separate"], Flag("--workload-identity"), PARTICULAR] = (
        "same"
    )

    @property
    def separate(self) -> bool:
        """Whether Ray's pods have an identity of their own."""
        return self.workloads == "separate"


class RulesSpec(_Part):
    """What the company demands of everything that is created."""

    tags: Annotated[dict[TagKey, TagValue], Flag("--tag")] = Field(default_factory=dict)
    name_prefix: Annotated[NamePrefix, Flag("--name-prefix")] = "anyscale"
    names: Annotated[dict[str, str], FILE_ONLY] = Field(
        default_factory=dict,
        description="Names of your own for created objects; which ones, the platform's page says.",
    )
    role_path: Annotated[str | None, Flag("--role-path"), PARTICULAR] = None
    permissions_boundary: Annotated[str | None, Flag("--permissions-boundary"), PARTICULAR] = None
    storage_role: Annotated[str | None, Flag("--storage-role"), PARTICULAR] = None
    kms_key: Annotated[str | None, Flag("--kms-key"), PARTICULAR] = None
    kms_identity: Annotated[str | None, Flag("--kms-identity"), PARTICULAR] = None
    azure_shared_key: Annotated[OnOrOff, Flag("--azure-shared-key"), PARTICULAR] = "on"


class NetworkSpec(_Part):
    """How users reach what runs in the cluster.

    With `none` nothing is made: the way in is the user's own.
    """

    kind: Annotated[Literal["gateway", "nginx", "none"], Flag("--network")] = "gateway"
    address: Annotated[HostName | None, Flag("--address")] = None
    expose: Annotated[Literal["public", "internal"], Flag("--expose")] = "public"
    allow_cidrs: Annotated[Cidrs, Flag("--allow-cidr")] = ()
    load_balancer_subnets: Annotated[tuple[str, ...], Flag("--lb-subnet")] = ()
    annotations: Annotated[dict[str, str], FILE_ONLY] = Field(
        default_factory=dict,
        description="Annotations of the load balancer's Service; they win over the tool's own.",
    )
    crds: Annotated[Literal["auto", "never"], Flag("--network-crds")] = "auto"

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if self.address and self.kind != "none":
            raise ValueError("--address is for a way in of your own: with --network none")
        asked = (self.expose != "public", *map(bool, (self.allow_cidrs, self.annotations)))
        if self.kind == "none" and (any(asked) or self.load_balancer_subnets):
            raise ValueError("with --network none there is no load balancer of which to ask things")
        return self


class OperatorSpec(_Part):
    """The operator's chart; `values` are the user's own, merged last as helm merges."""

    chart: Annotated[str | None, Flag("--operator-chart")] = None
    version: Annotated[str | None, Flag("--operator-version")] = None
    values: Annotated[dict[str, Any], Flag("--values")] = Field(default_factory=dict)
    service_account: Annotated[str | None, Flag("--service-account"), PARTICULAR] = None
    token_lifetime: Annotated[int | None, Flag("--token-lifetime"), PARTICULAR] = Field(
        default=None, ge=1, description="Days that a new key of the operator lives; else 365."
    )
    use_my_token: Annotated[bool, Flag("--use-my-token"), PARTICULAR] = False


class AddonSpec(_Part):
    """One add-on."""

    values: Annotated[dict[str, Any], FILE_ONLY] = Field(
        default_factory=dict, description="Helm values of your own, merged last."
    )


class AddonsSpec(_Part):
    """What is installed beside the operator."""

    gateway: Annotated[AddonSpec, FILE_ONLY] = Field(default_factory=AddonSpec)
    nginx: Annotated[AddonSpec, FILE_ONLY] = Field(default_factory=AddonSpec)
    gpu_plugin: Annotated[AddonSpec, FILE_ONLY] = Field(default_factory=AddonSpec)


class ChartsSpec(_Part):
    """Where charts come from instead of their own registries."""

    mirror: Annotated[str | None, Flag("--chart-mirror")] = None


class PodsSpec(_Part):
    """What the pods get that come of a setup: the operator's, the gateway's, the GPU plugin's.

    Ray's pods are not among them: instance types and the operator's `patches` say of those.
    """

    node_selector: Annotated[dict[LabelKey, LabelValue], Flag("--node-selector")] = Field(
        default_factory=dict
    )
    tolerations: Annotated[tuple[Toleration, ...], Flag("--toleration")] = ()
    labels: Annotated[dict[LabelKey, LabelValue], Flag("--pod-label")] = Field(default_factory=dict)
    annotations: Annotated[dict[LabelKey, str], Flag("--pod-annotation")] = Field(
        default_factory=dict
    )
    image_registry: Annotated[Registry | None, Flag("--image-registry")] = None
    image_pull_secrets: Annotated[tuple[SecretName, ...], Flag("--image-pull-secret")] = ()
    http_proxy: Annotated[ProxyUrl | None, Flag("--http-proxy")] = None
    https_proxy: Annotated[ProxyUrl | None, Flag("--https-proxy")] = None
    no_proxy: Annotated[tuple[UnproxiedHost, ...], Flag("--no-proxy")] = ()
    ca_bundle: Annotated[Certificates | None, Flag("--ca-bundle")] = None

    @field_validator("no_proxy")
    @classmethod
    def _proxied(cls, hosts: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        # A proxy that is wrong is not among the others, and told by itself.
        proxies = [others.data.get(name, ...) for name in ("http_proxy", "https_proxy")]
        if hosts and not any(proxies):
            raise ValueError(
                "hosts without a proxy need a proxy; give --http-proxy or --https-proxy, too"
            )
        return hosts


class ProbeSpec(_Part):
    """A pod that tries, once the cloud is set up, what the workloads are going to do."""

    enabled: Annotated[bool, Flag("--probe")] = False
    image: Annotated[str | None, Flag("--probe-image")] = None


class TimeoutsSpec(_Part):
    """Seconds to wait for the slow things."""

    identity: Annotated[float, FILE_ONLY] = Field(
        default=120, gt=0, description="Until a new identity can be used."
    )
    load_balancer: Annotated[float, FILE_ONLY] = Field(
        default=600, gt=0, description="Until the load balancer has an address."
    )
    controller: Annotated[float, FILE_ONLY] = Field(
        default=300, gt=0, description="Until an add-on's own pods are ready."
    )
    operator: Annotated[float, FILE_ONLY] = Field(
        default=600, gt=0, description="Until the operator is up and reports that it is healthy."
    )
    probe: Annotated[float, FILE_ONLY] = Field(
        default=180, gt=0, description="Until a pod has tried what the workloads do."
    )
    deletion: Annotated[float, FILE_ONLY] = Field(
        default=900, gt=0, description="Until something that is removed is gone."
    )


class CloudSpec(_Part):
    """One cloud on one cluster."""

    version: Annotated[Literal["anyscale-k8s/cloud/v1"], FILE_ONLY] = Field(
        default=SPEC_VERSION, description="The form of the file."
    )
    provider: Annotated[str, Flag("--provider")]
    name: Annotated[CloudName, Flag("--name")]
    region: Annotated[str | None, Flag("--region")] = None
    namespace: Annotated[DnsLabel, Flag("--namespace")] = DEFAULT_NAMESPACE
    gpu: Annotated[AutoOrOff, Flag("--gpu")] = "auto"
    instance_types: Annotated[str, Flag("--instance-types")] = "default"
    waive: Annotated[tuple[str, ...], Flag("--waive")] = ()
    cluster: Annotated[ClusterSpec, FILE_ONLY] = Field(default_factory=ClusterSpec)
    account: Annotated[AccountSpec, FILE_ONLY] = Field(default_factory=AccountSpec)
    credentials: Annotated[CredentialsSpec, FILE_ONLY] = Field(default_factory=CredentialsSpec)
    existing: Annotated[ExistingSpec, FILE_ONLY] = Field(default_factory=ExistingSpec)
    identity: Annotated[IdentitySpec, FILE_ONLY] = Field(default_factory=IdentitySpec)
    storage: Annotated[StorageSpec, FILE_ONLY] = Field(default_factory=StorageSpec)
    rules: Annotated[RulesSpec, FILE_ONLY] = Field(default_factory=RulesSpec)
    network: Annotated[NetworkSpec, FILE_ONLY] = Field(default_factory=NetworkSpec)
    operator: Annotated[OperatorSpec, FILE_ONLY] = Field(default_factory=OperatorSpec)
    addons: Annotated[AddonsSpec, FILE_ONLY] = Field(default_factory=AddonsSpec)
    charts: Annotated[ChartsSpec, FILE_ONLY] = Field(default_factory=ChartsSpec)
    pods: Annotated[PodsSpec, FILE_ONLY] = Field(default_factory=PodsSpec)
    probe: Annotated[ProbeSpec, FILE_ONLY] = Field(default_factory=ProbeSpec)
    timeouts: Annotated[TimeoutsSpec, FILE_ONLY] = Field(default_factory=TimeoutsSpec)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.existing.gateway and self.network.kind != "gateway":
            raise ValueError(
                f"--gateway and --network {self.network.kind} are two ways in; give one"
            )
        return self


def makes_gateway(spec: CloudSpec) -> bool:
    """Whether users come in by a Gateway of this tool's."""
    return spec.network.kind == "gateway" and not spec.existing.gateway


def brings_way_in(spec: CloudSpec) -> bool:
    """Whether users come in by something that the user has, so that no load balancer is made."""
    return bool(spec.existing.gateway) or spec.network.kind == "none"


class Scope(_Part):
    """Where to search or delete; what is None is not known."""

    provider: str | None = None
    region: str | None = None
    namespace: DnsLabel | None = None
    cluster: ClusterSpec = Field(default_factory=ClusterSpec)
    account: AccountSpec = Field(default_factory=AccountSpec)
    credentials: CredentialsSpec = Field(default_factory=CredentialsSpec)
    storage: StorageSpec = Field(default_factory=StorageSpec)


Settings = Mapping[str, Any]
"""Values by dotted path (`cluster.name`), as flags and environment give them."""


def value_at(spec: BaseModel, path: str) -> Any:
    """The value of a field by its dotted path."""
    value: Any = spec
    for part in path.split("."):
        value = getattr(value, part)
    return value


def scope_options(spec: CloudSpec) -> str:
    """The options that lead a search to where a spec is, for commands to copy."""
    flags = flags_by_path()
    said = dict(leaves(spec.model_dump(mode="json", exclude_defaults=True)))
    paths = ("provider", "region", "account", "cluster", "namespace", "credentials", "storage")
    return " ".join(
        f"{flags[path]} {shlex.quote(str(said[path]))}"
        for first in paths
        for path in sorted(said)
        if path.partition(".")[0] == first and flags[path]
    )


# Mappings whose keys are the user's: they are set whole, not key by key.
_WHOLE = {
    "rules.tags",
    "rules.names",
    "network.annotations",
    "pods.annotations",
    "pods.labels",
    "pods.node_selector",
    "operator.values",
    "addons.gateway.values",
    "addons.nginx.values",
    "addons.gpu_plugin.values",
}


def leaves(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values in a document by their dotted paths."""
    for key, value in document.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and path not in _WHOLE and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def _fields(
    model: type[BaseModel] = CloudSpec, prefix: str = ""
) -> Iterator[tuple[str, list[Any]]]:
    """Each leaf field's dotted path with what is marked on it."""
    for name, info in model.model_fields.items():
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, _Part):
            yield from _fields(annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", info.metadata


def flags_by_path() -> dict[str, str | None]:
    """Each leaf field's dotted path with its flag; None where only the file has it."""
    found: dict[str, str | None] = {}
    for path, marks in _fields():
        flag = next((mark.name for mark in marks if isinstance(mark, Flag)), None)
        if flag is None and not any(isinstance(mark, FileOnly) for mark in marks):
            raise TypeError(f"{path} names neither a flag nor FILE_ONLY")
        found[path] = flag
    return found


def particular_fields() -> frozenset[str]:
    """The paths of the fields that only some platforms know."""
    return frozenset(
        path for path, marks in _fields() if any(isinstance(mark, Particular) for mark in marks)
    )
