"""What is registered of a cloud's storage and identity, in the control plane's words."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.provider import CloudSide, Cluster, Provider, Storage
from anyscale_k8s_cli.spec import Addressing, CloudSpec, FileStorageSpec

_STYLES = {Addressing.PATH: "PATH_STYLE", Addressing.VIRTUAL: "VIRTUAL_HOSTED_STYLE"}


def registered_members(
    provider: Provider, spec: CloudSpec, cluster: Cluster, side: CloudSide
) -> dict[str, Any]:
    """The registration's members besides its name and place.

    Raises `NotYetKnown` for what has not been read or made.
    """
    storage, identity = side.storage.output, side.identity_output
    members = {
        "object_storage": _object_storage(storage),
        **provider.registration(spec, cluster, storage, identity),
    }
    existing = spec.existing
    said = {"zones": list(existing.zones), "redis_endpoint": existing.redis_endpoint}
    config = {
        **members.get("kubernetes_config", {}),
        **{name: value for name, value in said.items() if value},
    }
    files = _file_storage(existing.file_storage)
    return {
        **members,
        **({"kubernetes_config": config} if config else {}),
        **({"file_storage": files} if files else {}),
    }


def _file_storage(said: FileStorageSpec) -> dict[str, Any]:
    targets = [_mount_target(target) for target in said.nfs_mount_targets]
    found = {
        "persistent_volume_claim": said.persistent_volume_claim,
        "csi_ephemeral_volume_driver": said.csi_ephemeral_volume_driver,
        "mount_targets": targets,
        "mount_path": said.nfs_mount_path,
    }
    return {name: value for name, value in found.items() if value}


def _mount_target(text: str) -> dict[str, str]:
    zone, _, address = text.rpartition(",")
    return {"address": address, **({"zone": zone} if zone else {})}


def _object_storage(storage: Storage) -> dict[str, str]:
    """What is not said is left to the control plane."""
    said = {"bucket_name": storage.url, "region": storage.region}
    if storage.endpoint:
        said["endpoint"] = storage.endpoint
    if storage.addressing:
        said["s3_addressing_style"] = _STYLES[storage.addressing]
    return said
