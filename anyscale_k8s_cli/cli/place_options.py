"""Options that say where: cluster, account, credentials and store.

The annotations are evaluated as they stand (no `from __future__`), because
Typer reads them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from anyscale_k8s_cli.cli.options import STORE, WHERE, Sets, option


def _complete_provider(incomplete: str) -> list[str]:
    # The names alone: importing a provider would import its cloud's SDK.
    from importlib.metadata import entry_points

    names = {entry.name for entry in entry_points(group="anyscale_k8s_cli.providers")}
    return sorted(name for name in names if name.startswith(incomplete.lower()))


Provider = Annotated[
    str | None,
    option(
        "--provider",
        panel=WHERE,
        metavar="PLATFORM",
        # Asking what is registered would cost more than all the rest of the help.
        help="eks, gke, aks, coreweave, nebius, oke or generic; aws, gcp and azure work too.",
        autocompletion=_complete_provider,
    ),
    Sets("provider"),
]

Region = Annotated[
    str | None,
    option("--region", panel=WHERE, metavar="REGION", help="Region of the cluster."),
    Sets("region"),
]

ClusterName = Annotated[
    str | None,
    option(
        "--cluster-name", panel=WHERE, metavar="NAME", help="The cluster, as its cloud calls it."
    ),
    Sets("cluster.name"),
]

Context = Annotated[
    str | None,
    option(
        "--context",
        panel=WHERE,
        metavar="CONTEXT",
        help="Reach the cluster through this context of your kubeconfig, which is only read.",
    ),
    Sets("cluster.context"),
]

Kubeconfig = Annotated[
    Path | None,
    option("--kubeconfig", panel=WHERE, metavar="FILE", help="The kubeconfig with --context."),
    Sets("cluster.kubeconfig"),
]

Namespace = Annotated[
    str | None,
    option(
        "--namespace",
        panel=WHERE,
        metavar="NAMESPACE",
        help="Namespace of the operator; anyscale-operator if not given.",
    ),
    Sets("namespace"),
]

AccountId = Annotated[
    str | None,
    option(
        "--account-id",
        panel=WHERE,
        metavar="ID",
        help="AWS account that must be the one in use; else it stops before any change.",
    ),
    Sets("account.id"),
]

AwsProfile = Annotated[
    str | None,
    option("--aws-profile", panel=WHERE, metavar="PROFILE", help="Profile of your AWS settings."),
    Sets("credentials.aws_profile"),
]

ProjectId = Annotated[
    str | None,
    option(
        "--project-id",
        "--gcp-project-id",
        panel=WHERE,
        metavar="ID",
        help="Google Cloud project of the cluster.",
    ),
    Sets("account.project_id"),
]

SubscriptionId = Annotated[
    str | None,
    option(
        "--subscription-id", panel=WHERE, metavar="ID", help="Azure subscription of the cluster."
    ),
    Sets("account.subscription_id"),
]

CompartmentId = Annotated[
    str | None,
    option(
        "--compartment-id",
        panel=WHERE,
        metavar="OCID",
        help="Oracle Cloud compartment of the cluster; else it is searched for in all.",
    ),
    Sets("account.compartment_id"),
]

ResourceGroup = Annotated[
    str | None,
    option(
        "--resource-group",
        panel=WHERE,
        metavar="NAME",
        help="Azure resource group of the cluster.",
    ),
    Sets("account.resource_group"),
]

GoogleKeyFile = Annotated[
    Path | None,
    option(
        "--google-key-file",
        panel=WHERE,
        metavar="FILE",
        help="Key of a Google service account, for a bucket of Google's.",
    ),
    Sets("credentials.google_key_file"),
]

StorageKind = Annotated[
    Literal["s3", "gcs", "azure"] | None,
    option(
        "--storage-kind",
        panel=STORE,
        metavar="s3|gcs|azure",
        help="What the store is; if not given, as --bucket begins, else s3.",
    ),
    Sets("storage.kind"),
]

StorageLocation = Annotated[
    str | None,
    option(
        "--storage-location",
        panel=STORE,
        metavar="LOCATION",
        help="Where Google makes the bucket; us if not given.",
    ),
    Sets("storage.location"),
]

StorageAccount = Annotated[
    str | None,
    option(
        "--storage-account",
        panel=STORE,
        metavar="NAME",
        help="Azure storage account of yours that the container is in, or its blobs' address.",
    ),
    Sets("storage.account"),
]

StorageEndpoint = Annotated[
    str | None,
    option(
        "--storage-endpoint",
        panel=STORE,
        metavar="URL",
        help="Address of the S3 store, without bucket. Its keys come from variables or a profile.",
    ),
    Sets("storage.endpoint"),
]

StorageRegion = Annotated[
    str | None,
    option(
        "--storage-region",
        panel=STORE,
        metavar="REGION",
        help="The region that requests to the store are signed for.",
    ),
    Sets("storage.region"),
]

StorageAddressing = Annotated[
    Literal["path", "virtual"] | None,
    option(
        "--storage-addressing",
        panel=STORE,
        metavar="path|virtual",
        help="Whether the store has buckets in the path or in the host's name.",
    ),
    Sets("storage.addressing"),
]

StorageChecksums = Annotated[
    Literal["when_required", "when_supported"] | None,
    option(
        "--storage-checksums",
        panel=STORE,
        metavar="when_required|when_supported",
        help="When checksums are sent to the store; not every one takes them.",
    ),
    Sets("storage.checksums"),
]

Impersonate = Annotated[
    str | None,
    option(
        "--impersonate-service-account",
        panel=WHERE,
        metavar="EMAIL",
        help="Act as this Google service account.",
    ),
    Sets("credentials.impersonate"),
]


@dataclass(frozen=True)
class PlaceOptions:
    """Which cluster, in whose account, by whose credentials."""

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


@dataclass(frozen=True)
class SearchOptions(PlaceOptions):
    """Where to look for what was made, when more is known than the cloud's name."""

    storage_kind: StorageKind = None
    storage_location: StorageLocation = None
    storage_account: StorageAccount = None
    storage_endpoint: StorageEndpoint = None
    storage_region: StorageRegion = None
    storage_addressing: StorageAddressing = None
    storage_checksums: StorageChecksums = None
