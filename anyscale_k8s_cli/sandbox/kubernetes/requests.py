"""What an HTTP request asks of the API: its path, its verb, its body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml
from aiohttp import web

from anyscale_k8s_cli.sandbox.kubernetes import protobuf
from anyscale_k8s_cli.sandbox.kubernetes.authorization import Attributes
from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError, bad_request
from anyscale_k8s_cli.sandbox.kubernetes.objects import dig
from anyscale_k8s_cli.sandbox.kubernetes.resources import Registry, Resource
from anyscale_k8s_cli.sandbox.wire import Operation

SERVICE = "kubernetes"
MASK = "***"

# Parts of a namespace itself, not kinds in it.
_NAMESPACE_SUBRESOURCES = {"status", "finalize"}
_TRUE = {"true", "1"}

_PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed path. `resource` is None for paths that are about no object."""

    path: tuple[str, ...]
    resource: Resource | None = None
    group: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    # What follows `proxy/`: the path at the pod itself.
    beyond: str = ""

    @property
    def is_object_path(self) -> bool:
        return bool(self.plural)

    @property
    def pattern(self) -> str:
        """The path with placeholders for namespace and name."""
        parts = list(self.path)
        if not self.is_object_path:
            return "/" + "/".join(parts)
        at = 2 if parts[0] == "api" else 3
        if self.namespace and self.plural != "namespaces":
            parts[at + 1] = "{namespace}"
            at += 2
        if self.name:
            parts[at + 1] = "{name}"
        if self.subresource == _PROXY:
            parts[at + 3 :] = ["{path}"]
        return "/" + "/".join(parts)


def parse_path(path: str, registry: Registry) -> Target:
    parts = tuple(part for part in path.split("/") if part)
    core = parts[:1] == ("api",)
    head = 2 if core else 3
    if parts[:1] not in (("api",), ("apis",)) or len(parts) <= head:
        return Target(parts)
    group, version = ("", parts[1]) if core else (parts[1], parts[2])
    rest, namespace = parts[head:], ""
    inside = len(rest) > 3 or (len(rest) == 3 and rest[2] not in _NAMESPACE_SUBRESOURCES)
    if rest[0] == "namespaces" and inside:
        namespace, rest = rest[1], rest[2:]
    proxied = rest[2:3] == (_PROXY,)
    return Target(
        path=parts,
        resource=registry.find(group, version, rest[0]),
        group=group,
        plural=rest[0],
        namespace=namespace,
        name=rest[1] if len(rest) > 1 else "",
        subresource=_PROXY if proxied else "/".join(rest[2:]),
        beyond="/".join(rest[3:]) if proxied else "",
    )


def is_watch(request: web.Request) -> bool:
    return request.method == "GET" and request.query.get("watch", "").lower() in _TRUE


def is_dry_run(request: web.Request) -> bool:
    return "All" in request.query.getall("dryRun", [])


def verb_of(request: web.Request, target: Target) -> str:
    """The RBAC verb of a request."""
    match request.method:
        case "GET" | "HEAD":
            if is_watch(request):
                return "watch"
            return "get" if target.name or not target.is_object_path else "list"
        case "DELETE":
            return "delete" if target.name else "deletecollection"
    verbs = {"POST": "create", "PUT": "update", "PATCH": "patch"}
    return verbs.get(request.method, request.method.lower())


def attributes_of(request: web.Request, target: Target) -> Attributes:
    verb = verb_of(request, target)
    if not target.is_object_path:
        return Attributes(verb, path="/" + "/".join(target.path))
    # A namespace is in itself, where authorization is concerned.
    own = target.plural == "namespaces" and not target.group
    return Attributes(
        verb=verb,
        group=target.group,
        resource=target.plural,
        subresource=target.subresource,
        namespace=target.name if own else target.namespace,
        name=target.name,
    )


async def read_body(request: web.Request) -> Any:
    """The decoded body, {} if there is none. Raises 400, 413, or 415 for unreadable protobuf."""
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        message = f"Request entity too large: {error.text}"
        raise ApiError(413, "RequestEntityTooLarge", message) from error
    if not raw:
        return {}
    if raw.startswith(protobuf.MAGIC):
        return protobuf.decode(raw)
    try:
        # What clients apply "as YAML" is JSON most of the time, which is read much sooner.
        return json.loads(raw)
    except ValueError as error:
        if "yaml" in request.content_type:
            return _from_yaml(raw)
        raise bad_request(f"error decoding body: {error}") from error


def _from_yaml(raw: bytes) -> Any:
    try:
        return yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise bad_request(f"error decoding YAML: {error}") from error


def classify(request: web.Request, target: Target, body: Any, principal: str) -> Operation:
    """The request as the wire records it; values of Secrets and tokens are masked."""
    created = dig(body, "metadata", "name") or dig(body, "metadata", "generateName") or ""
    named = target.name or (str(created) if request.method == "POST" else "")
    parts = (target.plural, target.namespace, named, target.subresource)
    return Operation(
        service=SERVICE,
        name=f"{request.method} {target.pattern}",
        write=_is_write(request, target),
        principal=principal,
        resource="/".join(part for part in parts if part),
        body=_masked(body, target) or None,
        right=_right(attributes_of(request, target)),
    )


def _right(wanted: Attributes) -> str:
    group = f".{wanted.group}" if wanted.group else ""
    return f"{wanted.verb} {wanted.full_resource}{group}" if wanted.resource else ""


def _is_write(request: web.Request, target: Target) -> bool:
    if request.method in ("GET", "HEAD", "OPTIONS") or is_dry_run(request):
        return False
    return not (target.plural.endswith("reviews") or target.subresource == "token")


def _masked(body: Any, target: Target) -> Any:
    if target.plural == "secrets" and not target.group:
        if isinstance(body, list):
            return [{**op, "value": MASK} if "value" in op else op for op in body]
        if isinstance(body, dict):
            annotations = dig(body, "metadata", "annotations") or {}
            masked = {**body}
            for name in ("data", "stringData"):
                if isinstance(body.get(name), dict):
                    masked[name] = dict.fromkeys(body[name], MASK)
            if annotations:
                # kubectl keeps the whole object in an annotation.
                metadata = {**body["metadata"], "annotations": dict.fromkeys(annotations, MASK)}
                masked["metadata"] = metadata
            return masked
    if target.plural == "tokenreviews" and dig(body, "spec", "token"):
        return {**body, "spec": {**body["spec"], "token": MASK}}
    return body
