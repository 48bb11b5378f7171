"""Tells clients what is served: aggregated discovery, and the older lists."""

from __future__ import annotations

import json

from aiohttp import web

from anyscale_k8s_cli.sandbox.kubernetes.errors import no_such_endpoint
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Registry, Resource

# Subresources that take and give another kind than their resource.
_OTHER_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "eviction": ("policy", "v1", "Eviction"),
}
_READ_AND_CHANGE = ["get", "patch", "update"]
_SUBRESOURCE_VERBS = {
    "log": ["get"],
    "token": ["create"],
    "eviction": ["create"],
    "finalize": ["update"],
}


def _subresource_kind(resource: Resource, name: str) -> tuple[str, str, str]:
    return _OTHER_KINDS.get(name, (resource.group, resource.version, resource.kind))


def _versions_best_first(versions: dict[str, list[Resource]]) -> list[str]:
    """v2 before v1, both before v1beta1, that before v1alpha1."""

    def rank(version: str) -> tuple[int, str]:
        return (2 if "alpha" in version else 1 if "beta" in version else 0, version)

    stable = sorted((v for v in versions if rank(v)[0] == 0), reverse=True)
    return stable + sorted((v for v in versions if rank(v)[0]), key=rank)


def answer(registry: Registry, path: list[str], accept: str) -> web.Response:
    """The answer for `/api`, `/apis` and below. Raises a 404 ApiError for an unknown group."""
    groups = registry.groups()
    if len(path) == 1:
        core = path[0] == "api"
        wanted = {g: v for g, v in groups.items() if (g == "") == core}
        for version in ("v2", "v2beta1"):
            if f"g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" in accept:
                return _aggregated(wanted, version)
        return web.json_response(_core_versions() if core else _group_list(wanted))
    group = "" if path[0] == "api" else path[1]
    versions = groups.get(group)
    if versions is None:
        raise no_such_endpoint()
    if len(path) == 2 and group:
        return web.json_response(
            {"kind": "APIGroup", "apiVersion": "v1", **_group(group, versions)}
        )
    served = versions.get(path[-1])
    if served is None:
        raise no_such_endpoint()
    return web.json_response(_resource_list(served))


def _core_versions() -> Object:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def _group_list(groups: dict[str, dict[str, list[Resource]]]) -> Object:
    listed = [_group(name, versions) for name, versions in groups.items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def _group(name: str, versions: dict[str, list[Resource]]) -> Object:
    listed = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for version in _versions_best_first(versions)
    ]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resource_list(resources: list[Resource]) -> Object:
    listed = []
    for resource in resources:
        entry: Object = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        listed.append(entry)
        for name in resource.subresources:
            group, version, kind = _subresource_kind(resource, name)
            listed.append(
                {
                    "name": f"{resource.plural}/{name}",
                    "singularName": "",
                    "namespaced": resource.namespaced,
                    "group": group,
                    "version": version,
                    "kind": kind,
                    "verbs": _SUBRESOURCE_VERBS.get(name, _READ_AND_CHANGE),
                }
            )
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": resources[0].api_version,
        "resources": listed,
    }


def _aggregated(groups: dict[str, dict[str, list[Resource]]], version: str) -> web.Response:
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [
                {
                    "version": served,
                    "freshness": "Current",
                    "resources": [_aggregated_resource(r) for r in versions[served]],
                }
                for served in _versions_best_first(versions)
            ],
        }
        for name, versions in groups.items()
    ]
    body = {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }
    # Clients look for these parameters to tell the answer from the older list.
    content_type = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    return web.Response(body=json.dumps(body).encode(), headers={"Content-Type": content_type})


def _kind(group: str, version: str, kind: str) -> Object:
    return {"group": group, "version": version, "kind": kind}


def _aggregated_resource(resource: Resource) -> Object:
    return {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
        "verbs": list(resource.verbs),
        "subresources": [
            {
                "subresource": name,
                "responseKind": _kind(*_subresource_kind(resource, name)),
                "verbs": _SUBRESOURCE_VERBS.get(name, _READ_AND_CHANGE),
            }
            for name in resource.subresources
        ],
    }
