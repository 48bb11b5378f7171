"""The Secret with the keys of an object store, and what the chart must know of it.

For stores without workload identity. All of it follows from what the provider
says of its storage and keys; no platform is asked for by name.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.addons.context import ClusterContext
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.objects import KubernetesObject
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import CloudSide, Storage
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.spec import Addressing
from anyscale_k8s_cli.storage_keys import PROFILE, SECRET_NAME, StorageKeys, kept_keys
from anyscale_k8s_cli.templates import load_yaml

# Where Ray, Vector and the agents stand among the containers of the chart's pods.
_AGENTS = {"head": (0, 1, 2, 5), "worker": (0, 1, 2, 3)}


def credentials_secret(
    context: ClusterContext, cloud_side: CloudSide | None, needs: Sequence[Resource[Any]]
) -> tuple[KubernetesObject, ...]:
    """The Secret, where the store has keys; in a teardown, where one may be left.

    It also tells the keys what the cluster holds of them.
    """
    keys = cloud_side.storage_keys if cloud_side is not None else None
    if keys is None and not context.teardown:
        return ()
    install = context.install
    reference = Reference("v1", "Secret", SECRET_NAME, install.namespace)

    def manifest() -> Mapping[str, Any]:
        assert cloud_side is not None, "only a setup asks for it"  # noqa: S101
        assert keys is not None, "only a setup asks for it"  # noqa: S101
        return secret(cloud_side.storage.output, keys.output, install.namespace)

    if cloud_side is not None:
        tell_what_is_kept(cloud_side, context.kubernetes, install)
    outside = (keys, cloud_side.storage) if keys is not None and cloud_side is not None else ()
    made = KubernetesObject(
        context.surroundings,
        reference,
        manifest,
        title="keys of the object store, for the operator and its pods",
        needs=(*needs, *outside),
    )
    return (made,)


def tell_what_is_kept(cloud_side: CloudSide, kubernetes: Kubernetes, install: Install) -> None:
    """Let the keys know, when they are read, what the cluster holds of them."""
    keys = cloud_side.storage_keys
    if keys is not None:
        keys.kept = lambda: kept_keys(
            kubernetes.get("v1", "Secret", SECRET_NAME, install.namespace), install
        )


def secret(storage: Storage, keys: StorageKeys, namespace: str) -> Document:
    """The Secret's manifest."""
    credentials = _ini({"aws_access_key_id": keys.access_key, "aws_secret_access_key": keys.secret})
    manifest: Document = load_yaml(
        "operator/storage-credentials.yaml",
        {
            "name": SECRET_NAME,
            "namespace": namespace,
            "access_key": keys.access_key,
            "credentials": _encoded(credentials),
            "config": _encoded(client_config(storage)),
        },
    )
    return manifest


def client_config(storage: Storage) -> str:
    """The config file with which any AWS SDK speaks to the store as it wants to be spoken to.

    https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
    """
    options = {"region": storage.region}
    if storage.endpoint:
        options["endpoint_url"] = storage.endpoint
    options["request_checksum_calculation"] = storage.checksums.value
    options["response_checksum_validation"] = storage.checksums.value
    nested = {"signature_version": "s3v4"}
    if storage.addressing:
        nested["addressing_style"] = storage.addressing.value
    options["s3"] = "".join(f"\n{name} = {value}" for name, value in sorted(nested.items()))
    return _ini(options)


def storage_values(cloud_side: CloudSide) -> dict[str, Any]:
    """The chart's values for the keys; empty where the store has none.

    Raises `NotYetKnown` while storage or keys are not there.
    """
    if cloud_side.storage_keys is None:
        return {}
    storage, keys = cloud_side.storage.output, cloud_side.storage_keys.output
    path_style = storage.addressing is Addressing.PATH
    values: dict[str, Any] = load_yaml(
        "operator/storage-values.yaml",
        {
            "region": storage.region,
            "path_style": path_style,
            "secret": SECRET_NAME,
            "fingerprint": _fingerprint(storage, keys),
        },
    )
    if path_style:
        values["patches"] = [_path_style_patch(node) for node in _AGENTS]
    return values


def _path_style_patch(node: str) -> Document:
    operations = [
        load_yaml("operator/path-style-operation.yaml", {"container": container})
        for container in _AGENTS[node]
    ]
    patch: Document = load_yaml(
        "operator/path-style-patch.yaml", {"node": node, "operations": operations}
    )
    return patch


def _fingerprint(storage: Storage, keys: StorageKeys) -> str:
    """Changes with the key and with the config file, and tells nothing of the secret."""
    seen = f"{keys.access_key}\n{client_config(storage)}"
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


def _ini(options: Mapping[str, str]) -> str:
    # SDKs read these files with other rules than Python's: no interpolation, keys as they are.
    parser = configparser.RawConfigParser()
    parser[PROFILE] = options
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
