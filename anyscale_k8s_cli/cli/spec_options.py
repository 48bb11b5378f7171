"""Options of plan and setup: all that a cloud.yaml may say, and how it is done.

The annotations are evaluated as they stand (no `from __future__`), because
Typer reads them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from anyscale_k8s_cli.cli.options import (
    CHANGE,
    EXISTING,
    NETWORK,
    OPERATOR,
    PROBE,
    RULES,
    WHICH,
    CloudId,
    CloudName,
    ProbeImage,
    Sets,
    complete_check,
    new_file,
    option,
)
from anyscale_k8s_cli.cli.place_options import (
    PlaceOptions,
    StorageAccount,
    StorageAddressing,
    StorageChecksums,
    StorageEndpoint,
    StorageKind,
    StorageLocation,
    StorageRegion,
)
from anyscale_k8s_cli.cli.pod_options import (
    CaBundle,
    HttpProxy,
    HttpsProxy,
    ImagePullSecret,
    ImageRegistry,
    NodeSelector,
    NoProxy,
    PodAnnotation,
    PodLabel,
    Toleration,
)


def only_kubernetes(stack: str) -> str:
    """Refuses clouds on virtual machines."""
    if stack.lower() not in ("k8s", "kubernetes"):
        raise typer.BadParameter(
            f"{stack!r} is not offered here: this tool sets up Anyscale on Kubernetes (k8s) only; "
            "clouds on virtual machines are set up by Anyscale's own client"
        )
    return "k8s"


@dataclass(frozen=True)
class SpecOptions(PlaceOptions):
    """Everything about a cloud that can be said by option; None or empty is not said."""

    name: CloudName = None
    bucket: Annotated[
        str | None,
        option(
            "--bucket",
            panel=EXISTING,
            metavar="NAME",
            help="Use this bucket; it is never changed or deleted.",
        ),
        Sets("existing.bucket"),
    ] = None
    storage_kind: StorageKind = None
    storage_location: StorageLocation = None
    storage_account: StorageAccount = None
    storage_endpoint: StorageEndpoint = None
    storage_region: StorageRegion = None
    storage_addressing: StorageAddressing = None
    storage_checksums: StorageChecksums = None
    identity: Annotated[
        str | None,
        option(
            "--identity",
            panel=EXISTING,
            metavar="ID",
            help="Use this identity for the operator (on AWS the ARN of a role); on a cluster "
            "without a cloud it takes the place of the store's keys.",
        ),
        Sets("existing.identity"),
    ] = None
    identity_kind: Annotated[
        Literal["auto", "irsa", "pod-identity"] | None,
        option(
            "--identity-kind",
            panel=RULES,
            metavar="auto|irsa|pod-identity",
            help="How pods get the operator's role on EKS; auto if not given: by EKS Pod "
            "Identity where its agent runs, else by the OIDC provider. What is installed stays.",
        ),
        Sets("identity.kind"),
    ] = None
    workload_identity: Annotated[
        Literal["same", "separate"] | None,
        option(
            "--workload-identity",
            panel=RULES,
            metavar="same|separate",
            help="Whether Ray's pods have the operator's identity and service account, which is so "
            "if not given, or narrower ones of their own (on EKS, GKE and AKS).",
        ),
        Sets("identity.workloads"),
    ] = None
    identity_provider: Annotated[
        str | None,
        option(
            "--identity-provider",
            panel=EXISTING,
            metavar="ID",
            help="What admits the cluster at the identity's cloud (Google's pool provider, "
            "Entra's tenant).",
        ),
        Sets("existing.identity_provider"),
    ] = None
    oidc_provider: Annotated[
        Literal["use", "create"] | None,
        option(
            "--oidc-provider",
            panel=EXISTING,
            metavar="use|create",
            help="Whether the account's OIDC provider of the cluster may be created if missing.",
        ),
        Sets("existing.oidc_provider"),
    ] = None
    storage_keys: Annotated[
        Literal["use", "create", "federation"] | None,
        option(
            "--storage-keys",
            panel=EXISTING,
            metavar="use|create|federation",
            help="Whether keys of your own open the object store, from variables or a profile, or "
            "are created; or none, since pods prove themselves (on CoreWeave).",
        ),
        Sets("existing.storage_keys"),
    ] = None
    gateway: Annotated[
        str | None,
        option(
            "--gateway",
            panel=EXISTING,
            metavar="NAMESPACE/NAME",
            help="Use this Gateway; none is made, and it is never changed.",
        ),
        Sets("existing.gateway"),
    ] = None
    kubernetes_zones: Annotated[
        list[str] | None,
        option(
            "--kubernetes-zones",
            panel=EXISTING,
            metavar="ZONE,…",
            help="Zones to register instead of those of the cluster.",
        ),
        Sets("existing.zones"),
    ] = None
    kubernetes_redis_endpoint: Annotated[
        str | None,
        option(
            "--kubernetes-redis-endpoint",
            panel=EXISTING,
            metavar="HOST:PORT",
            help="Redis for head nodes that outlive a failure; pods must reach it.",
        ),
        Sets("existing.redis_endpoint"),
    ] = None
    persistent_volume_claim: Annotated[
        str | None,
        option(
            "--persistent-volume-claim",
            panel=EXISTING,
            metavar="NAME",
            help="Shared storage: a claim in the operator's namespace.",
        ),
        Sets("existing.file_storage.persistent_volume_claim"),
    ] = None
    csi_ephemeral_volume_driver: Annotated[
        str | None,
        option(
            "--csi-ephemeral-volume-driver",
            panel=EXISTING,
            metavar="DRIVER",
            help="Shared storage: a CSI driver of the cluster.",
        ),
        Sets("existing.file_storage.csi_ephemeral_volume_driver"),
    ] = None
    nfs_mount_target: Annotated[
        list[str] | None,
        option(
            "--nfs-mount-target",
            panel=EXISTING,
            metavar="[ZONE,]ADDRESS",
            help="Shared storage: an NFS server, for one zone or for all. Repeatable.",
        ),
        Sets("existing.file_storage.nfs_mount_targets"),
    ] = None
    nfs_mount_path: Annotated[
        str | None,
        option(
            "--nfs-mount-path", panel=EXISTING, metavar="PATH", help="What the NFS server exports."
        ),
        Sets("existing.file_storage.nfs_mount_path"),
    ] = None
    tag: Annotated[
        list[str] | None,
        option("--tag", panel=RULES, metavar="KEY=VALUE", help="Tag for every object. Repeatable."),
        Sets("rules.tags"),
    ] = None
    name_prefix: Annotated[
        str | None,
        option(
            "--name-prefix",
            panel=RULES,
            metavar="PREFIX",
            help="How names begin; anyscale if not given.",
        ),
        Sets("rules.name_prefix"),
    ] = None
    role_path: Annotated[
        str | None,
        option("--role-path", panel=RULES, metavar="PATH", help="IAM path of created roles."),
        Sets("rules.role_path"),
    ] = None
    permissions_boundary: Annotated[
        str | None,
        option(
            "--permissions-boundary",
            panel=RULES,
            metavar="ARN",
            help="Policy that bounds created roles.",
        ),
        Sets("rules.permissions_boundary"),
    ] = None
    storage_role: Annotated[
        str | None,
        option(
            "--storage-role",
            panel=RULES,
            metavar="ROLE",
            help="Role of your own that opens the bucket, in place of the platform's.",
        ),
        Sets("rules.storage_role"),
    ] = None
    kms_key: Annotated[
        str | None,
        option(
            "--kms-key", panel=RULES, metavar="KEY", help="Key that encrypts the created bucket."
        ),
        Sets("rules.kms_key"),
    ] = None
    kms_identity: Annotated[
        str | None,
        option(
            "--kms-identity",
            panel=RULES,
            metavar="ID",
            help="Managed identity that may use the key of --kms-key, on Azure.",
        ),
        Sets("rules.kms_identity"),
    ] = None
    azure_shared_key: Annotated[
        Literal["on", "off"] | None,
        option(
            "--azure-shared-key",
            panel=RULES,
            metavar="on|off",
            help="Whether the created storage account can be used with its keys; on if not given.",
        ),
        Sets("rules.azure_shared_key"),
    ] = None
    network: Annotated[
        Literal["gateway", "nginx", "none"] | None,
        option(
            "--network",
            panel=NETWORK,
            metavar="gateway|nginx|none",
            help="How users come in; gateway if not given. With none the way in is your own.",
        ),
        Sets("network.kind"),
    ] = None
    address: Annotated[
        str | None,
        option(
            "--address",
            panel=NETWORK,
            metavar="HOST",
            help="Where your own way in is reached, with --network none.",
        ),
        Sets("network.address"),
    ] = None
    expose: Annotated[
        Literal["public", "internal"] | None,
        option(
            "--expose",
            panel=NETWORK,
            metavar="public|internal",
            help="Where the load balancer listens; public if not given.",
        ),
        Sets("network.expose"),
    ] = None
    allow_cidr: Annotated[
        list[str] | None,
        option(
            "--allow-cidr",
            panel=NETWORK,
            metavar="CIDR",
            help="Let in only this network, as 203.0.113.0/24. Repeatable.",
        ),
        Sets("network.allow_cidrs"),
    ] = None
    lb_subnet: Annotated[
        list[str] | None,
        option(
            "--lb-subnet",
            panel=NETWORK,
            metavar="SUBNET",
            help="Subnet for the load balancer. Repeatable.",
        ),
        Sets("network.load_balancer_subnets"),
    ] = None
    network_crds: Annotated[
        Literal["auto", "never"] | None,
        option(
            "--network-crds",
            panel=NETWORK,
            metavar="auto|never",
            help="Whether missing Gateway API definitions are installed.",
        ),
        Sets("network.crds"),
    ] = None
    operator_version: Annotated[
        str | None,
        option(
            "--operator-version", panel=OPERATOR, metavar="VERSION", help="Version of its chart."
        ),
        Sets("operator.version"),
    ] = None
    operator_chart: Annotated[
        str | None,
        option(
            "--operator-chart",
            panel=OPERATOR,
            metavar="CHART",
            help="Another chart: a folder, an archive or an oci:// address.",
        ),
        Sets("operator.chart"),
    ] = None
    values: Annotated[
        list[Path] | None,
        option(
            "--values",
            panel=OPERATOR,
            metavar="FILE",
            help="Your own Helm values, merged last. Repeatable.",
        ),
        Sets("operator.values"),
    ] = None
    service_account: Annotated[
        str | None,
        option(
            "--service-account",
            panel=OPERATOR,
            metavar="NAME",
            help="Anyscale service account that the operator signs in with, where the platform "
            "has no identity for it; one is made if not given.",
        ),
        Sets("operator.service_account"),
    ] = None
    token_lifetime: Annotated[
        int | None,
        option(
            "--token-lifetime",
            panel=OPERATOR,
            metavar="DAYS",
            help="How long a new key of the operator's service account lives; 365 if not given.",
            min=1,
        ),
        Sets("operator.token_lifetime"),
    ] = None
    use_my_token: Annotated[
        bool | None,
        option(
            "--use-my-token",
            panel=OPERATOR,
            help="Put your own login token into the cluster for the operator. It stops when the "
            "token expires.",
        ),
        Sets("operator.use_my_token"),
    ] = None
    chart_mirror: Annotated[
        str | None,
        option(
            "--chart-mirror",
            panel=OPERATOR,
            metavar="URL",
            help="Take all charts from this registry.",
        ),
        Sets("charts.mirror"),
    ] = None
    node_selector: NodeSelector = None
    toleration: Toleration = None
    pod_label: PodLabel = None
    pod_annotation: PodAnnotation = None
    image_registry: ImageRegistry = None
    image_pull_secret: ImagePullSecret = None
    http_proxy: HttpProxy = None
    https_proxy: HttpsProxy = None
    no_proxy: NoProxy = None
    ca_bundle: CaBundle = None
    gpu: Annotated[
        Literal["auto", "off"] | None,
        option(
            "--gpu",
            panel=OPERATOR,
            metavar="auto|off",
            help="Whether the GPU plugin is installed where nodes need it.",
        ),
        Sets("gpu"),
    ] = None
    instance_types: Annotated[
        str | None,
        option(
            "--instance-types",
            panel=OPERATOR,
            metavar="auto|default|FILE",
            help="What Ray nodes may ask for: as the nodes are, the chart's own, or a YAML file.",
        ),
        Sets("instance_types"),
    ] = None
    waive: Annotated[
        list[str] | None,
        option(
            "--waive",
            panel=CHANGE,
            metavar="CHECK",
            help="Do not run this check; it stays visible in the report. Repeatable.",
            autocompletion=complete_check("setup"),
        ),
        Sets("waive"),
    ] = None
    probe: Annotated[
        bool | None,
        option(
            "--probe",
            panel=PROBE,
            help="At the end let a pod with the workloads' identity use the bucket and reach "
            "Anyscale.",
        ),
        Sets("probe.enabled"),
    ] = None
    probe_image: ProbeImage = None


@dataclass(frozen=True)
class SetupOptions:
    """What plan and setup take besides the spec's own fields."""

    file: Annotated[
        Path | None,
        option(
            "--file",
            "-f",
            panel=WHICH,
            metavar="cloud.yaml",
            help="The same settings and more from a file; options win over it.",
        ),
    ] = None
    cloud_id: CloudId = None
    stack: Annotated[
        str | None,
        option(
            "--stack",
            panel=WHICH,
            metavar="k8s",
            help="Accepted as the vendor's client has it; only k8s.",
            parser=only_kubernetes,
        ),
    ] = None
    add_to_cloud: Annotated[
        bool,
        option(
            "--add-to-cloud",
            panel=CHANGE,
            help="Add this cluster to a cloud that already exists.",
        ),
    ] = False
    replace_cluster: Annotated[
        bool,
        option(
            "--replace-cluster",
            panel=CHANGE,
            help="The cluster was rebuilt under its old name: trust the new one, keep the bucket.",
        ),
    ] = False
    upgrade: Annotated[
        bool,
        option(
            "--upgrade",
            panel=CHANGE,
            help="Bring charts that are installed to this version's own; else they stay. What "
            "that changes in each object is shown first; an upgrade that fails is taken back.",
        ),
    ] = False
    drop_options: Annotated[
        bool,
        option(
            "--drop-options",
            panel=CHANGE,
            help="Options of the last setup that are left out now go back to their defaults, "
            "also those that keep the bucket, the identity or who is let in.",
        ),
    ] = False
    only_create: Annotated[
        bool,
        option(
            "--only-create",
            panel=CHANGE,
            help="Refuse to change anything that exists, a mark on a shared object included.",
        ),
    ] = False
    values_file: Annotated[
        Path | None,
        option(
            "--values-file",
            panel=OPERATOR,
            metavar="FILE",
            callback=new_file,
            help="Write the operator's final Helm values there, for you to keep.",
        ),
    ] = None
    overwrite: Annotated[
        bool,
        option(
            "--overwrite",
            panel=OPERATOR,
            help="Let --values-file and --out replace any existing file.",
        ),
    ] = False
