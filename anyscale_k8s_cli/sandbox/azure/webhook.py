"""What the webhook of workload identity adds to a pod when it is created.

https://azure.github.io/azure-workload-identity. It looks at pods with its label
only; whose identity it is, the service account's annotation says. Pods are
changed in place; what is there already stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyscale_k8s_cli.sandbox.azure.directory import EXCHANGE_AUDIENCE

LABEL = "azure.workload.identity/use"
CLIENT_ANNOTATION = "azure.workload.identity/client-id"
TENANT_ANNOTATION = "azure.workload.identity/tenant-id"
EXPIRY_ANNOTATION = "azure.workload.identity/service-account-token-expiration"
SKIP_ANNOTATION = "azure.workload.identity/skip-containers"
DIRECTORY = "/var/run/secrets/azure/tokens"
_VOLUME = "azure-identity-token"
_SECONDS = 3600


def admit(
    pod: dict[str, Any],
    service_account: Mapping[str, Any] | None,
    *,
    tenant_id: str,
    authority_host: str,
) -> None:
    """Project a token for Entra and tell the containers about it, where the label asks for it."""
    metadata = pod["metadata"]
    if (metadata.get("labels") or {}).get(LABEL) != "true" or service_account is None:
        return
    account = service_account["metadata"].get("annotations") or {}
    own = metadata.get("annotations") or {}
    variables = {
        "AZURE_CLIENT_ID": account.get(CLIENT_ANNOTATION, ""),
        "AZURE_TENANT_ID": account.get(TENANT_ANNOTATION) or tenant_id,
        "AZURE_FEDERATED_TOKEN_FILE": f"{DIRECTORY}/{_VOLUME}",
        "AZURE_AUTHORITY_HOST": authority_host,
    }
    skipped = {name.strip() for name in own.get(SKIP_ANNOTATION, "").split(";")}
    spec = pod["spec"]
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        if container["name"] not in skipped:
            _extend(container, {key: value for key, value in variables.items() if value})
    seconds = int(own.get(EXPIRY_ANNOTATION) or account.get(EXPIRY_ANNOTATION) or _SECONDS)
    volumes = spec.setdefault("volumes", [])
    if all(volume.get("name") != _VOLUME for volume in volumes):
        source = {"audience": EXCHANGE_AUDIENCE, "expirationSeconds": seconds, "path": _VOLUME}
        projected = {"defaultMode": 420, "sources": [{"serviceAccountToken": source}]}
        volumes.append({"name": _VOLUME, "projected": projected})


def _extend(container: dict[str, Any], variables: Mapping[str, str]) -> None:
    environment = container.setdefault("env", [])
    present = {entry["name"] for entry in environment}
    environment += [
        {"name": name, "value": value} for name, value in variables.items() if name not in present
    ]
    mounts = container.setdefault("volumeMounts", [])
    if all(mount.get("name") != _VOLUME for mount in mounts):
        mounts.append({"name": _VOLUME, "mountPath": DIRECTORY, "readOnly": True})
