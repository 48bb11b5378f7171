"""The Secret with the credentials of an object store, and what the chart must know of it.

For stores without workload identity. All of it follows from what the provider says of
its storage and keys; no platform is asked for by name. What is in the Secret, and how
pods find it, is the kind's own (`credential_mounts.py`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.addons.context import ClusterContext
from anyscale_k8s_cli.addons.credential_mounts import mount_of
from anyscale_k8s_cli.addons.storage_token import patches as token_patches
from anyscale_k8s_cli.addons.values import merged
from anyscale_k8s_cli.cloud_side import CloudSide, Storage
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.objects import KubernetesObject
from anyscale_k8s_cli.credential_kinds import KINDS, Credentials, kept
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.templates import load_yaml

# Of the operator's pods: other credentials make new ones.
_FINGERPRINT = "anyscale-k8s/storage-credentials"


def credentials_secret(
    context: ClusterContext, cloud_side: CloudSide | None, needs: Sequence[Resource[Any]]
) -> tuple[KubernetesObject, ...]:
    """The Secret, where the store has keys; in a teardown, each that one may be left in.

    It also tells the keys what the cluster holds of them.
    """
    keys = cloud_side.storage_keys if cloud_side is not None else None
    if cloud_side is None or keys is None:
        names = sorted({kind.SECRET for kind in KINDS}) if context.teardown else ()
        return tuple(_object(context, name, _never, needs) for name in names)
    namespace, storage = context.install.namespace, cloud_side.storage

    def manifest() -> Mapping[str, Any]:
        return secret(storage.output, keys.output, namespace)

    tell_what_is_kept(cloud_side, context.kubernetes, context.install)
    return (_object(context, keys.credentials.SECRET, manifest, (*needs, keys, storage)),)


def _object(
    context: ClusterContext, name: str, manifest: Any, needs: Sequence[Resource[Any]]
) -> KubernetesObject:
    return KubernetesObject(
        context.surroundings,
        Reference("v1", "Secret", name, context.install.namespace),
        manifest,
        title="keys of the object store, for the operator and its pods",
        needs=needs,
    )


def _never() -> Mapping[str, Any]:
    raise AssertionError("a teardown writes no Secret")


def tell_what_is_kept(cloud_side: CloudSide, kubernetes: Kubernetes, install: Install) -> None:
    """Let the keys know, when they are read, what the cluster holds of them."""
    keys = cloud_side.storage_keys
    if keys is not None:
        kind = keys.credentials
        keys.kept = lambda: kept(
            kind, kubernetes.get("v1", "Secret", kind.SECRET, install.namespace), install
        )


def secret(storage: Storage, credentials: Credentials, namespace: str) -> Document:
    """The Secret's manifest."""
    files = mount_of(type(credentials)).files(storage, credentials)
    manifest: Document = load_yaml(
        "operator/storage-credentials.yaml",
        {
            "name": credentials.SECRET,
            "namespace": namespace,
            "id": credentials.id,
            "data": {
                name: base64.b64encode(text.encode()).decode() for name, text in files.items()
            },
        },
    )
    return manifest


def storage_values(cloud_side: CloudSide) -> dict[str, Any]:
    """The chart's values for the credentials; empty where the store has none.

    Raises `NotYetKnown` while storage or keys are not there.
    """
    if cloud_side.storage_keys is None:
        return {}
    storage, credentials = cloud_side.storage.output, cloud_side.storage_keys.output
    mount = mount_of(type(credentials))
    fingerprint = _fingerprint(credentials.id, mount.told(storage))
    values = mount.values(storage, credentials)
    if cloud_side.token_audience:
        told = token_patches(cloud_side.token_audience)
        values = {**values, "patches": [*values.get("patches", ()), *told]}
    return merged(values, {"operator": {"annotations": {_FINGERPRINT: fingerprint}}})


def _fingerprint(*seen: str) -> str:
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]
