"""The OpenAPI v3 index and documents, no larger than clients need.

They list operations without schemas, so that helm and kubectl leave validation
to the server, which they are told can do it (`fieldValidation`).
"""

from __future__ import annotations

import hashlib

from anyscale_k8s_cli.sandbox.kubernetes.errors import no_such_endpoint
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Registry, Resource


def _by_document(registry: Registry) -> dict[str, list[Resource]]:
    documents: dict[str, list[Resource]] = {}
    for resource in registry:
        prefix = "apis" if resource.group else "api"
        documents.setdefault(f"{prefix}/{resource.api_version}", []).append(resource)
    return documents


def index(registry: Registry) -> Object:
    paths = {}
    for name, resources in _by_document(registry).items():
        # The hash changes with the document, so that clients may cache it.
        kinds = ",".join(sorted(resource.kind for resource in resources))
        digest = hashlib.sha256(kinds.encode()).hexdigest()
        paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
    return {"paths": paths}


def document(registry: Registry, name: str) -> Object:
    """The document of one group and version, e.g. `apis/apps/v1`. Raises a 404 ApiError."""
    resources = _by_document(registry).get(name)
    if resources is None:
        raise no_such_endpoint()
    paths: Object = {}
    for resource in resources:
        scope = "/namespaces/{namespace}" if resource.namespaced else ""
        base = f"/{name}{scope}/{resource.plural}"
        paths[base] = {"post": _operation(resource, "post")}
        paths[f"{base}/{{name}}"] = {"patch": _operation(resource, "patch")}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": {}},
    }


def _operation(resource: Resource, action: str) -> Object:
    names = ["dryRun", "fieldManager", "fieldValidation"] + ["force"] * (action == "patch")
    parameters = [
        {
            "name": name,
            "in": "query",
            "schema": {"type": "boolean" if name == "force" else "string"},
        }
        for name in names
    ]
    return {
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {
            "group": resource.group,
            "version": resource.version,
            "kind": resource.kind,
        },
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
    }
