"""The kubeconfig of a sandbox's shell: what the clouds' own tools would have written by now.

It is for `kubectl` and `helm` as a person types them. The product itself reaches
clusters without it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn


def document(contexts: Mapping[str, KubernetesStandIn]) -> dict[str, Any]:
    """A kubeconfig with an administrator's certificate for each cluster; the first is current."""
    found: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(contexts), ""),
        "clusters": [],
        "contexts": [],
        "users": [],
    }
    for name, cluster in contexts.items():
        certificate, key = cluster.admin_certificate()
        server = {"server": cluster.url, "certificate-authority-data": _encoded(cluster.ca_pem)}
        user = {
            "client-certificate-data": _encoded(certificate),
            "client-key-data": _encoded(key),
        }
        found["clusters"].append({"name": name, "cluster": server})
        found["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
        found["users"].append({"name": name, "user": user})
    return found


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
