"""The kubeconfigs that Azure hands out: with a local account's proofs, or for kubelogin."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox.azure.directory import AKS_SERVER_APP_ID

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.azure.clusters import AksCluster

# Of the public client by which people sign in.
_CLIENT_APP_ID = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"


def answer(name: str, document: dict[str, Any]) -> dict[str, Any]:
    """A kubeconfig as Azure wraps it."""
    import yaml

    return {"kubeconfigs": [{"name": name, "value": _encoded(yaml.safe_dump(document).encode())}]}


def local(cluster: AksCluster, account: str) -> dict[str, Any]:
    """With the token, and the certificate, of an account of the cluster itself."""
    certificate, key = cluster.client_certificate
    user = {
        "client-certificate-data": _encoded(certificate),
        "client-key-data": _encoded(key),
        "token": cluster.local_token,
    }
    suffix = "-admin" if account == "clusterAdmin" else ""
    return _document(cluster, account, user, suffix)


def entra(cluster: AksCluster, tenant_id: str, *, with_plugin: bool) -> dict[str, Any]:
    """Without any proof: whoever uses it gets a token from Entra."""
    if with_plugin:
        user: dict[str, Any] = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": "kubelogin",
                "args": [
                    "get-token",
                    "--environment",
                    "AzurePublicCloud",
                    "--server-id",
                    AKS_SERVER_APP_ID,
                    "--client-id",
                    _CLIENT_APP_ID,
                    "--tenant-id",
                    tenant_id,
                    "--login",
                    "devicecode",
                ],
                "env": None,
                "provideClusterInfo": False,
            }
        }
    else:
        config = {
            "apiserver-id": AKS_SERVER_APP_ID,
            "client-id": _CLIENT_APP_ID,
            "config-mode": "1",
            "environment": "AzurePublicCloud",
            "tenant-id": tenant_id,
        }
        user = {"auth-provider": {"name": "azure", "config": config}}
    return _document(cluster, "clusterUser", user, "")


def _document(
    cluster: AksCluster, account: str, user: dict[str, Any], suffix: str
) -> dict[str, Any]:
    name = cluster.seed.name
    user_name = f"{account}_{cluster.seed.resource_group}_{name}"
    server = {
        "certificate-authority-data": _encoded(cluster.ca_pem),
        "server": cluster.endpoint,
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [{"name": name, "cluster": server}],
        "contexts": [
            {"name": name + suffix, "context": {"cluster": name, "user": user_name}},
        ],
        "current-context": name + suffix,
        "users": [{"name": user_name, "user": user}],
    }


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
