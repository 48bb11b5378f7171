"""Picks the form of an answer by the Accept header: JSON, Table or metadata only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from aiohttp import web

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.table import partial, table

_READABLE = ("json", "*/*", "application/*")


class Form(Enum):
    FULL = "full"
    TABLE = "table"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Representation:
    """How objects of one resource are shown to one client."""

    resource: Resource
    form: Form
    include: str = "Metadata"

    def one(self, obj: Object) -> Object:
        match self.form:
            case Form.TABLE:
                metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
                return table(self.resource, [self._full(obj)], metadata, self.include)
            case Form.PARTIAL:
                return partial(obj)
        return self._full(obj)

    def many(self, objects: Sequence[Object], metadata: Object) -> Object:
        match self.form:
            case Form.TABLE:
                full = [self._full(obj) for obj in objects]
                return table(self.resource, full, metadata, self.include)
            case Form.PARTIAL:
                items = [partial(obj) for obj in objects]
                kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
                return {"kind": kind, "apiVersion": version, "metadata": metadata, "items": items}
        return {
            "kind": self.resource.list_kind,
            "apiVersion": self.resource.api_version,
            "metadata": metadata,
            "items": [self._full(obj) for obj in objects],
        }

    def bookmark(self, revision: int, annotations: dict[str, str]) -> Object:
        """An object that carries nothing but a revision, of the kind that the watch is about."""
        metadata: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        if self.form is Form.TABLE:
            return table(self.resource, [], metadata)
        if self.form is Form.PARTIAL:
            return partial({"metadata": metadata})
        return {
            "kind": self.resource.kind,
            "apiVersion": self.resource.api_version,
            "metadata": metadata,
        }

    def _full(self, obj: Object) -> Object:
        # Kinds with several versions are stored in one of them.
        if obj["apiVersion"] == self.resource.api_version:
            return obj
        return {**obj, "apiVersion": self.resource.api_version}


def negotiate(request: web.Request, resource: Resource) -> Representation:
    """Raises a 406 ApiError if the client takes nothing but protobuf or the like."""
    accept = request.headers.get("Accept", "")
    if accept and not any(kind in accept for kind in _READABLE):
        message = "only the following media types are accepted: application/json"
        raise ApiError(406, "NotAcceptable", message)
    form = Form.FULL
    if "as=Table" in accept:
        form = Form.TABLE
    elif "as=PartialObjectMetadata" in accept:
        form = Form.PARTIAL
    return Representation(resource, form, request.query.get("includeObject", "Metadata"))
