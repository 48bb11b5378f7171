"""A resource file of Anyscale's own client (`CloudDeployment`), read as settings of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.spec import Settings, leaves
from anyscale_k8s_cli.spec_loading import read_file

# By these it is told from a cloud.yaml, which has neither.
_MARKS = frozenset({"object_storage", "kubernetes_config", "compute_stack"})


def _same(value: Any) -> Any:
    return value


def _targets(value: Any) -> tuple[str, ...]:
    return tuple(",".join(filter(None, (item.get("zone"), item.get("address")))) for item in value)


def _generic_default(value: Any) -> Any:
    """`generic` is a platform of ours, too; which one of those without a name is not told."""
    return str(value).lower()


_FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "provider": ("provider", _generic_default),
    "region": ("region", _same),
    "object_storage.bucket_name": ("existing.bucket", _same),
    "object_storage.region": ("storage.region", _same),
    "object_storage.endpoint": ("storage.endpoint", _same),
    "kubernetes_config.anyscale_operator_iam_identity": ("existing.identity", _same),
    "kubernetes_config.zones": ("existing.zones", tuple),
    "kubernetes_config.redis_endpoint": ("existing.redis_endpoint", _same),
    "file_storage.persistent_volume_claim": (
        "existing.file_storage.persistent_volume_claim",
        _same,
    ),
    "file_storage.csi_ephemeral_volume_driver": (
        "existing.file_storage.csi_ephemeral_volume_driver",
        _same,
    ),
    "file_storage.mount_targets": ("existing.file_storage.nfs_mount_targets", _targets),
    "file_storage.mount_path": ("existing.file_storage.nfs_mount_path", _same),
    "gcp_config.project_id": ("account.project_id", _same),
}
# What is known otherwise, or holds on Kubernetes anyway. A resource's name is made here.
_OF_NO_USE = ("name", "compute_stack", "cloud_resource_id", "azure_config.tenant_id", "aws_config")
# Stores of the platforms' own need neither.
_OF_OTHER_STORES = ("storage.region", "storage.endpoint")
_OWN_STORES = ("aws", "gcp", "azure")


def settings_in(path: Path) -> Settings | None:
    """What such a file says, by our dotted paths; None where it is no such file.

    Raises `invalid-spec` for what of it means nothing here.
    """
    document = read_file(path)
    if not _MARKS & document.keys():
        return None
    found: dict[str, Any] = {}
    for key, value in leaves(document):
        if key in _FIELDS:
            ours, read = _FIELDS[key]
            found[ours] = read(value)
        elif key not in _OF_NO_USE and value not in (None, [], {}):
            raise errors.CliError(
                errors.INVALID_SPEC,
                f"{key} in {path} has no meaning here",
                cause=f"of a resource file there are read: {', '.join(_FIELDS)}",
                fix="leave it out, or say it by an option",
            )
    if str(document.get("compute_stack") or "K8S").upper() != "K8S":
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"compute_stack in {path} is {document['compute_stack']}",
            cause="this tool registers clouds on Kubernetes (K8S) only",
            fix="register it with Anyscale's own client",
        )
    if found.get("provider") in _OWN_STORES:
        for key in _OF_OTHER_STORES:
            found.pop(key, None)
    return found
