"""What is registered of a cloud's storage and identity, in the control plane's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.cloud_side import CloudSide, Storage
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.models import CloudResource
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.requests import SetupRequest
from anyscale_k8s_cli.operations.workbench import PlaneFacts
from anyscale_k8s_cli.provider import Cluster, Provider
from anyscale_k8s_cli.registration import RegisteredCloud, RegisteredResource
from anyscale_k8s_cli.resource import NO_TAGS, Claim
from anyscale_k8s_cli.spec import Addressing, CloudSpec, FileStorageSpec, particular_fields

_STYLES = {Addressing.PATH: "PATH_STYLE", Addressing.VIRTUAL: "VIRTUAL_HOSTED_STYLE"}


@dataclass(frozen=True)
class Outside:
    """What is not in the cluster: the cloud's objects, Anyscale's record, and our part of it."""

    cloud: CloudSide
    record: RegisteredCloud
    registration: RegisteredResource


def outside_of(
    request: SetupRequest,
    wanted: CloudSpec,
    provider: Provider,
    cluster: Cluster,
    install: Install,
    clouds: Clouds,
    dropped: Mapping[str, str] = NO_TAGS,
    *,
    whole: bool = False,
) -> Outside:
    """What should be there for a spec. Nothing is asked yet; `whole` as in `RegisteredResource`."""
    cloud = provider.cloud_side(wanted, cluster, install, PlaneFacts(clouds), dropped)
    adopt = request.add_to_cloud or request.cloud_id is not None
    record = RegisteredCloud(
        clouds,
        install,
        provider=provider.control_plane_name,
        cloud_id=request.cloud_id,
        claim=Claim.ADOPT if adopt else Claim.OWN,
    )
    named = [item for item in (cloud.storage, cloud.identity) if item]

    def payload() -> Mapping[str, Any]:
        return registered_members(provider, wanted, cluster, cloud)

    return Outside(cloud, record, RegisteredResource(record, install, payload, named, whole=whole))


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


def brought_settings(provider: Provider, resource: CloudResource) -> dict[str, Any]:
    """What a person brought, as it would be said again, by what is registered of it."""
    storage, config = resource.object_storage, resource.kubernetes_config
    files = resource.file_storage
    said: dict[str, Any] = {
        "existing.bucket": storage and storage.bucket_name,
        "existing.identity": config and config.anyscale_operator_iam_identity,
        "existing.zones": config and config.zones,
        "existing.redis_endpoint": config and config.redis_endpoint,
    }
    if storage and storage.s3_addressing_style:
        styles = {text: style.value for style, text in _STYLES.items()}
        said["storage.addressing"] = styles.get(storage.s3_addressing_style)
    if storage:
        said |= {"storage.endpoint": storage.endpoint, "storage.region": storage.region}
    if files:
        place = "existing.file_storage"
        said |= {
            f"{place}.persistent_volume_claim": files.persistent_volume_claim,
            f"{place}.csi_ephemeral_volume_driver": files.csi_ephemeral_volume_driver,
        }
    strange = particular_fields() - provider.settings
    return {path: value for path, value in said.items() if value and path not in strange}


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
