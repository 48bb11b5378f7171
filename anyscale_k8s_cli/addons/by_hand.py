"""What a person applies by hand who lets this tool register and no more: manifests and forms.

Nothing in them carries a mark of this tool: it is the person's, and no deletion touches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import yaml

from anyscale_k8s_cli.addons.context import InstallContext
from anyscale_k8s_cli.addons.credential_mounts import mount_of
from anyscale_k8s_cli.addons.gateway import class_document, gateway_document, proxy_document
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.cluster.admission import ENFORCE
from anyscale_k8s_cli.cluster.documents import Document, Documents
from anyscale_k8s_cli.credential_kinds import Credentials
from anyscale_k8s_cli.provider import LoadBalancer

# Stands in forms where a secret is to be.
TO_FILL_IN = "FILL-IN"


def namespace(context: InstallContext) -> Document:
    """The operator's namespace, which lets Ray's pods have the rights that they need."""
    metadata = {"name": context.install.namespace, "labels": {ENFORCE: "privileged"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def gateway(context: InstallContext, balancer: LoadBalancer, cloud_resource_id: str) -> Documents:
    """The Gateway of a registration and what it stands on, in the order to apply them."""
    return [
        proxy_document(context, balancer, {}),
        class_document(context),
        gateway_document(context, cloud_resource_id),
    ]


def credentials_form(storage: Storage, credentials: Credentials, namespace: str) -> Document:
    """The Secret that the pods' store is entered with, with places for what is secret."""
    # What is secret of a kind is what it does not show of itself.
    secrets = [item.name for item in fields(credentials) if not item.repr]  # type: ignore[arg-type]
    blank: Any = replace(
        credentials,  # type: ignore[type-var]
        **{name: TO_FILL_IN for name in secrets if getattr(credentials, name)},
    )
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": credentials.SECRET, "namespace": namespace},
        "type": "Opaque",
        "stringData": dict(mount_of(type(credentials)).files(storage, blank)),
    }


def render(documents: Documents, notes: Sequence[str]) -> str:
    """One YAML stream, which kubectl takes as it is, under `notes` for whoever reads it."""
    dumped: Any = yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=False)
    return "".join(f"# {line}\n" for line in notes) + str(dumped)
