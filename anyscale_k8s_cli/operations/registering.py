"""What is registered of a cloud's storage and identity, in the control plane's words."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.provider import CloudSide, Cluster, Provider, Storage
from anyscale_k8s_cli.spec import Addressing, CloudSpec

_STYLES = {Addressing.PATH: "PATH_STYLE", Addressing.VIRTUAL: "VIRTUAL_HOSTED_STYLE"}


def registered_members(
    provider: Provider, spec: CloudSpec, cluster: Cluster, side: CloudSide
) -> dict[str, Any]:
    """The registration's members besides its name and place.

    Raises `NotYetKnown` for what has not been read or made.
    """
    storage, identity = side.storage.output, side.identity_output
    return {
        "object_storage": _object_storage(storage),
        **provider.registration(spec, cluster, storage, identity),
    }


def _object_storage(storage: Storage) -> dict[str, str]:
    """What is not said is left to the control plane."""
    said = {"bucket_name": storage.url, "region": storage.region}
    if storage.endpoint:
        said["endpoint"] = storage.endpoint
    if storage.addressing:
        said["s3_addressing_style"] = _STYLES[storage.addressing]
    return said
