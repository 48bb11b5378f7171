"""The HTTP verbs on objects."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from aiohttp import web

from anyscale_k8s_cli.sandbox.kubernetes import errors
from anyscale_k8s_cli.sandbox.kubernetes.decoding import check_type_meta
from anyscale_k8s_cli.sandbox.kubernetes.objects import name_of, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.representation import Representation, negotiate
from anyscale_k8s_cli.sandbox.kubernetes.requests import Target, is_dry_run, is_watch
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.reviews import Reviews
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.subresources import Subresources
from anyscale_k8s_cli.sandbox.kubernetes.users import User
from anyscale_k8s_cli.sandbox.kubernetes.watch import (
    Pages,
    Selection,
    list_objects,
    watch_objects,
)
from anyscale_k8s_cli.sandbox.kubernetes.webhooks import Attempt, Webhooks
from anyscale_k8s_cli.sandbox.kubernetes.writes import Deletion, Write

APPLY = "application/apply-patch+yaml"
_PATCHES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
}
_PROPAGATIONS = ("Background", "Foreground", "Orphan")
# Pods and the like go through a time of dying, so their deletion answers with the object.
_STAND_ALONE = {"status", "finalize", "ephemeralcontainers"}


class Endpoints:
    """Serves requests on one resource, once the caller is known and allowed."""

    def __init__(
        self, store: Store, reviews: Reviews, subresources: Subresources, webhooks: Webhooks
    ) -> None:
        self._store = store
        self._reviews = reviews
        self._subresources = subresources
        self._webhooks = webhooks
        self._pages = Pages()

    async def serve(
        self, request: web.Request, target: Target, body: Any, user: User
    ) -> web.StreamResponse:
        resource = target.resource
        if resource is None:
            raise errors.no_such_endpoint()
        if resource.namespaced and not target.namespace and request.method != "GET":
            raise errors.method_not_allowed()
        if resource.verbs == ("create",):
            return await self._review(request, resource, body, user)
        if target.subresource and target.subresource not in resource.subresources:
            raise errors.no_such_endpoint()
        if target.subresource and target.subresource not in _STAND_ALONE:
            write = _write_options(request, target, user)
            return await self._subresources.serve(request, target, body, write)
        if request.method == "GET":
            return await self._read(request, resource, target)
        if not target.subresource:
            await self._judge(request, resource, target, body, user)
        return self._change(request, resource, target, body, user)

    async def _judge(
        self, request: web.Request, resource: Resource, target: Target, body: Any, user: User
    ) -> None:
        """Let webhooks see what this write would make, before it is done."""
        old = self._store.find(resource, target.namespace, target.name) if target.name else None
        operation = (
            "DELETE" if request.method == "DELETE" else "CREATE" if old is None else "UPDATE"
        )
        if not self._webhooks.concern(resource, operation):
            return
        write = _write_options(request, target, user)
        new = None
        if request.method != "DELETE":
            new, _ = self._written(request, resource, target, body, replace(write, dry_run=True))
        elif old is None:
            return
        await self._webhooks.judge(Attempt(operation, resource, new, old, user, write.dry_run))

    async def _review(
        self, request: web.Request, resource: Resource, body: Any, user: User
    ) -> web.Response:
        if request.method != "POST":
            raise errors.method_not_allowed()
        answer = await self._reviews.answer(resource, body, user)
        return web.json_response(answer, status=201)

    async def _read(
        self, request: web.Request, resource: Resource, target: Target
    ) -> web.StreamResponse:
        view = negotiate(request, resource)
        storage = self._store.storage
        if is_watch(request):
            selection = Selection.of(request, resource, target)
            return await watch_objects(request, storage, selection, view)
        if target.name:
            obj = storage.get(resource.key, target.namespace, target.name)
            if obj is None:
                raise errors.not_found(resource, target.name)
            return web.json_response(view.one(obj))
        selection = Selection.of(request, resource, target)
        return list_objects(request, storage, self._pages, selection, view)

    def _change(
        self, request: web.Request, resource: Resource, target: Target, body: Any, user: User
    ) -> web.Response:
        view = negotiate(request, resource)
        write = _write_options(request, target, user)
        if request.method != "DELETE":
            written, status = self._written(request, resource, target, body, write)
            return _answer(view, written, write, status)
        deletion = _deletion(request, body)
        if target.name:
            return self._delete(resource, target, deletion, view)
        selection = Selection.of(request, resource, target)
        return self._delete_all(selection, deletion, view)

    def _written(
        self, request: web.Request, resource: Resource, target: Target, body: Any, write: Write
    ) -> tuple[Object, int]:
        """Do a write; returns the object and the status of the answer."""
        match request.method, bool(target.name):
            case "POST", False:
                created = self._store.create(
                    resource, body, namespace=target.namespace, write=write
                )
                return created, 201
            case "PUT", True:
                self._check_name(body, target)
                return self._store.update(resource, body, write=write), 200
            case "PATCH", True:
                return self._patch(request, resource, target, body, write)
        raise errors.method_not_allowed()

    @staticmethod
    def _check_name(body: Any, target: Target) -> None:
        metadata = body.get("metadata") or {} if isinstance(body, dict) else {}
        given = metadata.get("name") or ""
        if given != target.name:
            message = (
                f"the name of the object ({given}) does not match the name on the URL "
                f"({target.name})"
            )
            raise errors.bad_request(message)
        if target.namespace:
            metadata.setdefault("namespace", target.namespace)
            if metadata["namespace"] != target.namespace:
                message = (
                    "the namespace of the provided object does not match the namespace sent on "
                    "the request"
                )
                raise errors.bad_request(message)

    def _patch(
        self,
        request: web.Request,
        resource: Resource,
        target: Target,
        body: Any,
        write: Write,
    ) -> tuple[Object, int]:
        if request.content_type == APPLY:
            if not request.query.get("fieldManager"):
                cause = errors.required("fieldManager", "is required for apply patch")
                raise errors.invalid(resource, target.name, [cause])
            check_type_meta(body)
            metadata = body.setdefault("metadata", {})
            metadata.setdefault("name", target.name)
            if metadata.get("managedFields"):
                raise errors.bad_request("metadata.managedFields must be nil")
            self._check_name(body, target)
            applied, created = self._store.apply(resource, body, write=write)
            return applied, 201 if created else 200
        kind = _PATCHES.get(request.content_type)
        if kind is None or (kind == "strategic" and resource.crd):
            accepted = [*_PATCHES, APPLY]
            if resource.crd:
                accepted.remove("application/strategic-merge-patch+json")
            raise errors.unsupported_media_type(", ".join(accepted))
        patched = self._store.patch(
            resource, target.namespace, target.name, body, kind=kind, write=write
        )
        return patched, 200

    def _delete(
        self, resource: Resource, target: Target, deletion: Deletion, view: Representation
    ) -> web.Response:
        obj, gone = self._store.delete(resource, target.namespace, target.name, deletion)
        if not gone or resource.key == "pods":
            return web.json_response(view.one(obj))
        details = {
            "name": target.name,
            "group": resource.group,
            "kind": resource.plural,
            "uid": obj["metadata"]["uid"],
        }
        return web.json_response(_success(details=details))

    def _delete_all(
        self, selection: Selection, deletion: Deletion, view: Representation
    ) -> web.Response:
        resource, selected = selection.resource, selection.of_storage(self._store.storage)
        for obj in selected:
            if self._store.find(resource, namespace_of(obj), name_of(obj)) is not None:
                self._store.delete(resource, namespace_of(obj), name_of(obj), deletion)
        metadata = {"resourceVersion": str(self._store.storage.revision)}
        return web.json_response(view.many(selected, metadata))


def _success(**more: Any) -> Object:
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", **more}


def _write_options(request: web.Request, target: Target, user: User) -> Write:
    query = request.query
    dry_run = query.getall("dryRun", [])
    if any(value not in ("", "All") for value in dry_run):
        raise errors.bad_request(f'dryRun: Unsupported value: "{dry_run[0]}"')
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Strict", "Warn", "Ignore"):
        raise errors.bad_request(f'fieldValidation: Unsupported value: "{validation}"')
    agent = re.split(r"[/ ]", request.headers.get("User-Agent", "unknown"), maxsplit=1)[0]
    return Write(
        manager=query.get("fieldManager") or agent or "unknown",
        user=user,
        subresource=target.subresource,
        dry_run=is_dry_run(request),
        validation=validation,
        force=query.get("force", "").lower() in ("true", "1"),
    )


def _deletion(request: web.Request, body: Any) -> Deletion:
    """DeleteOptions from the body, and from the query, which wins."""
    query, body = request.query, body if isinstance(body, dict) else {}
    orphan = body.get("orphanDependents")
    propagation = query.get("propagationPolicy") or body.get("propagationPolicy")
    propagation = propagation or ("Orphan" if orphan else "Background")
    if propagation not in _PROPAGATIONS:
        raise errors.bad_request(f"invalid propagation policy: {propagation}")
    preconditions = body.get("preconditions") or {}
    grace = query.get("gracePeriodSeconds", body.get("gracePeriodSeconds"))
    return Deletion(
        propagation=propagation,
        grace_period=None if grace is None else int(grace),
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
        dry_run=is_dry_run(request) or "All" in (body.get("dryRun") or ()),
    )


def _answer(view: Representation, obj: Object, write: Write, status: int = 200) -> web.Response:
    response = web.json_response(view.one(obj), status=status)
    for warning in write.warnings:
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response
