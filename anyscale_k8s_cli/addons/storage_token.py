"""A token of the pods' own service account, by which an object store knows them without keys.

The chart projects no such token into any pod. Ray's pods get one by its patches; the
operator's Deployment, for which the chart has no such value, by an addition to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.addons.credential_mounts import AGENTS, PodShare
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.storage_token import FILE, FOLDER
from anyscale_k8s_cli.templates import load_yaml


def addition(cloud_side: CloudSide | None) -> Document:
    """What the operator's Deployment is to have beside what the chart says; empty if nothing."""
    if cloud_side is None or not cloud_side.token_audience:
        return {}
    spec: Document = load_yaml(
        "operator/storage-token-addition.yaml",
        {"mount": _mount(), "volume": _volume(cloud_side.token_audience)},
    )
    return spec


def patches(audience: str) -> list[Document]:
    """The chart's patches by which Ray's pods have the token."""
    return [
        load_yaml(
            "operator/agents-patch.yaml",
            {"node": node, "operations": _operations(audience, containers)},
        )
        for node, containers in AGENTS.items()
    ]


def token_share(audience: str) -> PodShare:
    """The token for a pod that is not the chart's."""
    return PodShare((_volume(audience),), (_mount(),))


def _operations(audience: str, containers: Sequence[int]) -> list[dict[str, Any]]:
    mounts = [_adds(f"/spec/containers/{number}/volumeMounts/-", _mount()) for number in containers]
    return [_adds("/spec/volumes/-", _volume(audience)), *mounts]


def _adds(path: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": dict(value)}


def _mount() -> Document:
    mount: Document = load_yaml("operator/storage-token-mount.yaml", {"folder": FOLDER})
    return mount


def _volume(audience: str) -> Document:
    volume: Document = load_yaml(
        "operator/storage-token-volume.yaml", {"audience": audience, "file": FILE}
    )
    return volume
