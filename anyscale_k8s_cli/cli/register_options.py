"""Options of register: those of setup, by the names that Anyscale's own client has for them.

What has no meaning here is refused with what to use instead; nothing is silently ignored.
The annotations are evaluated as they stand (no `from __future__`), because Typer reads them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from anyscale_k8s_cli.cli.options import (
    CHANGE,
    EXISTING,
    OPERATOR,
    STORE,
    WHERE,
    WHICH,
    Sets,
    option,
)
from anyscale_k8s_cli.cli.spec_options import SetupOptions, SpecOptions, only_kubernetes

_NOTHING_MADE = "nothing is made in the cloud here; `anyscale cloud setup` has it"
_MOUNTED = "pods mount it by --persistent-volume-claim, or by --nfs-mount-target and its address"
_ON_MACHINES = "it is for clouds on virtual machines, which Anyscale's own client registers"


def refused(*names: str, why: str) -> Any:
    """An option that is understood and not offered."""
    return option(*names, panel=WHICH, help=why, hidden=True, callback=_refusing(why))


def _refusing(why: str) -> Callable[[Any], Any]:
    def refuse(value: Any) -> Any:
        if value:
            raise typer.BadParameter(why)
        return value

    return refuse


@dataclass(frozen=True)
class RegisterSpecOptions(SpecOptions):
    """All that setup can be told of a cloud, but for what it would make."""

    project_id: Annotated[
        str | None,
        option(
            "--project-id",
            "--gcp-project-id",
            panel=WHERE,
            metavar="ID",
            help="Project of the cluster, on Google Cloud and Nebius.",
        ),
        Sets("account.project_id"),
    ] = None
    bucket: Annotated[
        str | None,
        option(
            "--cloud-storage-bucket-name",
            "--bucket",
            panel=EXISTING,
            metavar="NAME",
            help="The bucket; needed on every platform.",
        ),
        Sets("existing.bucket"),
    ] = None
    storage_endpoint: Annotated[
        str | None,
        option(
            "--cloud-storage-bucket-endpoint",
            "--storage-endpoint",
            panel=STORE,
            metavar="URL",
            help="Address of the object store, where the platform has none of its own.",
        ),
        Sets("storage.endpoint"),
    ] = None
    storage_region: Annotated[
        str | None,
        option(
            "--cloud-storage-bucket-region",
            "--storage-region",
            panel=STORE,
            metavar="REGION",
            help="Region that requests to such a store are signed for.",
        ),
        Sets("storage.region"),
    ] = None
    identity: Annotated[
        str | None,
        option(
            "--anyscale-operator-iam-identity",
            "--identity",
            panel=EXISTING,
            metavar="ID",
            help="The operator's identity: on AWS the ARN of a role, on Google Cloud a service "
            "account's e-mail address, on Azure an identity's name or resource id.",
        ),
        Sets("existing.identity"),
    ] = None
    oidc_provider: Annotated[
        str | None, refused("--oidc-provider", why="that of the cluster is used as it is")
    ] = None  # type: ignore[assignment] # refused, whatever it says
    storage_keys: Annotated[
        str | None, refused("--storage-keys", why="your own keys are used as they are")
    ] = None  # type: ignore[assignment] # refused, whatever it says
    role_path: Annotated[str | None, refused("--role-path", why=_NOTHING_MADE)] = None
    permissions_boundary: Annotated[
        str | None, refused("--permissions-boundary", why=_NOTHING_MADE)
    ] = None
    storage_role: Annotated[str | None, refused("--storage-role", why=_NOTHING_MADE)] = None
    kms_key: Annotated[str | None, refused("--kms-key", why=_NOTHING_MADE)] = None
    kms_identity: Annotated[str | None, refused("--kms-identity", why=_NOTHING_MADE)] = None
    azure_shared_key: Annotated[str | None, refused("--azure-shared-key", why=_NOTHING_MADE)] = None  # type: ignore[assignment] # refused, whatever it says


@dataclass(frozen=True)
class RegisterOptions(SetupOptions):
    """What register takes besides."""

    file: Annotated[
        Path | None,
        option(
            "--resource-file",
            "--file",
            "-f",
            panel=WHICH,
            metavar="FILE",
            help="The same settings from a cloud.yaml, or from a resource file of Anyscale's own "
            "client; options win over it.",
        ),
    ] = None
    stack: Annotated[
        str | None,
        option(
            "--compute-stack",
            "--stack",
            panel=WHICH,
            metavar="k8s",
            help="Accepted as the vendor's client has it; only k8s.",
            parser=only_kubernetes,
        ),
    ] = None
    manifests_dir: Annotated[
        Path | None,
        option(
            "--manifests-dir",
            panel=OPERATOR,
            metavar="DIR",
            help="Write the manifests to apply there: namespace, Gateway, a form for keys.",
        ),
    ] = None
    install_operator: Annotated[
        bool,
        option(
            "--install-operator",
            panel=CHANGE,
            help="Go on and install gateway and operator in the cluster, as setup would.",
        ),
    ] = False


@dataclass(frozen=True)
class VendorOptions:
    """Options of Anyscale's own client that mean nothing here, with what to use instead."""

    private_network: Annotated[
        bool,
        refused(
            "--private-network", why="on Kubernetes the load balancer decides: --expose internal"
        ),
    ] = False
    enable_auto_add_user: Annotated[
        bool,
        refused("--enable-auto-add-user", why="who may use the cloud is set in the console"),
    ] = False
    skip_verifications: Annotated[
        bool,
        refused("--skip-verifications", why="leave single checks out with --waive CHECK"),
    ] = False
    functional_verify: Annotated[
        str | None,
        refused("--functional-verify", why="run `anyscale cloud verify` once the operator runs"),
    ] = None
    s3_bucket_id: Annotated[
        str | None, refused("--s3-bucket-id", why="say --cloud-storage-bucket-name")
    ] = None
    azure_tenant_id: Annotated[
        str | None,
        refused("--azure-tenant-id", why="it is read from the subscription (--subscription-id)"),
    ] = None
    file_storage_id: Annotated[
        str | None,
        refused("--file-storage-id", "--efs-id", "--filestore-instance-id", why=_MOUNTED),
    ] = None
    filestore_location: Annotated[str | None, refused("--filestore-location", why=_MOUNTED)] = None
    vpc_name: Annotated[
        str | None, refused("--vpc-name", "--vpc-id", why="the cluster's own network is used")
    ] = None
    memory_store: Annotated[
        str | None,
        refused(
            "--memorydb-cluster-id",
            "--memorystore-instance-name",
            why="say --kubernetes-redis-endpoint HOST:PORT",
        ),
    ] = None
    per_cloud_domain: Annotated[
        str | None,
        refused(
            "--per-cloud-domain",
            "--per-cloud-domain-label",
            why="a domain of the cloud's own is arranged with Anyscale, and not set up here",
        ),
    ] = None
    on_machines: Annotated[
        str | None,
        refused(
            *("--subnet-ids", "--subnet-names", "--security-group-ids", "--firewall-policy-names"),
            *("--anyscale-iam-role-id", "--instance-iam-role-id", "--external-id"),
            *("--anyscale-service-account-email", "--instance-service-account-email"),
            *("--provider-name", "--cloud-storage-bucket-id"),
            why=_ON_MACHINES,
        ),
    ] = None
