"""Lists and watches: the same selection once, or for as long as the client stays."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from aiohttp import web

from anyscale_k8s_cli.sandbox.kubernetes.errors import bad_request, expired
from anyscale_k8s_cli.sandbox.kubernetes.objects import labels_of, name_of, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.representation import Representation
from anyscale_k8s_cli.sandbox.kubernetes.requests import Target
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.selectors import (
    FieldSelector,
    LabelSelector,
    matches_labels,
    parse_field_selector,
    parse_label_selector,
)
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event, Storage
from anyscale_k8s_cli.sandbox.wire import STREAM_STARTED

_INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}
_LONGEST_WATCH = 1800.0
_BOOKMARK_EVERY = 10.0
_KEPT_PAGES = 64


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a list or a watch is about."""

    resource: Resource
    namespace: str
    name: str
    labels: LabelSelector
    fields: FieldSelector

    @classmethod
    def of(cls, request: web.Request, resource: Resource, target: Target) -> Selection:
        """Raises a 400 ApiError for a selector that cannot be read."""
        return cls(
            resource,
            target.namespace,
            target.name,
            parse_label_selector(request.query.get("labelSelector", "")),
            parse_field_selector(request.query.get("fieldSelector", ""), resource),
        )

    def matches(self, obj: Object) -> bool:
        return (
            self.namespace in ("", namespace_of(obj))
            and self.name in ("", name_of(obj))
            and matches_labels(self.labels, labels_of(obj))
            and self.fields.matches(obj)
        )

    def of_storage(self, storage: Storage) -> list[Object]:
        objects = storage.items(self.resource.key, self.namespace)
        return [obj for obj in objects if self.matches(obj)]

    def kind_of(self, event: Event) -> str | None:
        """How an event looks to this watch: objects come and go as they match or no longer do."""
        if event.key != self.resource.key:
            return None
        now = self.matches(event.object)
        before = event.old is not None and self.matches(event.old)
        match event.kind, before, now:
            case "DELETED", _, _:
                return "DELETED" if before else None
            case _, True, True:
                return "MODIFIED"
            case _, False, True:
                return "ADDED"
            case _, True, False:
                return "DELETED"
        return None


@dataclass
class Pages:
    """Long lists in pieces; a `continue` token names a frozen list and a place in it."""

    _kept: OrderedDict[str, tuple[list[Object], int]] = field(default_factory=OrderedDict)

    def cut(
        self, objects: list[Object], revision: int, limit: int, token: str
    ) -> tuple[list[Object], Object]:
        """A page and the list metadata that goes with it. Raises a 410 ApiError."""
        start, key = 0, ""
        if token:
            key, _, at = token.partition(".")
            if key not in self._kept or not at.isdigit():
                raise expired(
                    "The provided continue parameter is too old to display a consistent list"
                )
            objects, revision = self._kept[key]
            start = int(at)
        metadata: Object = {"resourceVersion": str(revision)}
        end = start + limit if limit else len(objects)
        if end < len(objects):
            if not key:
                key = secrets.token_hex(8)
                self._kept[key] = (objects, revision)
                while len(self._kept) > _KEPT_PAGES:
                    self._kept.popitem(last=False)
            metadata["continue"] = f"{key}.{end}"
            metadata["remainingItemCount"] = len(objects) - end
        return objects[start:end], metadata


def list_objects(
    request: web.Request,
    storage: Storage,
    pages: Pages,
    selection: Selection,
    representation: Representation,
) -> web.Response:
    try:
        limit = int(request.query.get("limit") or 0)
    except ValueError as error:
        raise bad_request(f"invalid limit: {request.query['limit']!r}") from error
    token = request.query.get("continue", "")
    objects = [] if token else selection.of_storage(storage)
    objects, metadata = pages.cut(objects, storage.revision, limit, token)
    return web.json_response(representation.many(objects, metadata))


class _Stream:
    """Writes watch events to one client."""

    def __init__(self, response: web.StreamResponse, view: Representation) -> None:
        self._response = response
        self._view = view

    async def object(self, kind: str, obj: Object) -> None:
        await self.raw(kind, self._view.one(obj))

    async def bookmark(self, revision: int, annotations: dict[str, str] | None = None) -> None:
        await self.raw("BOOKMARK", self._view.bookmark(revision, annotations or {}))

    async def raw(self, kind: str, obj: Object) -> None:
        line = json.dumps({"type": kind, "object": obj}, separators=(",", ":"))
        await self._response.write(line.encode() + b"\n")


async def watch_objects(
    request: web.Request, storage: Storage, selection: Selection, representation: Representation
) -> web.StreamResponse:
    """Stream changes until the client goes, or for `timeoutSeconds`."""
    query = request.query
    wanted = query.get("resourceVersion", "")
    if wanted and not wanted.isdigit():
        raise bad_request(f"Invalid value: {wanted!r}: strconv.ParseUint: parsing: invalid syntax")
    seconds = min(float(query.get("timeoutSeconds") or _LONGEST_WATCH), _LONGEST_WATCH)
    initial = query.get("sendInitialEvents", "").lower() == "true"
    bookmarks = query.get("allowWatchBookmarks", "").lower() == "true"

    # What happened up to this line is replayed, what happens from here on is queued.
    queue: asyncio.Queue[Event] = asyncio.Queue()
    replay = _replay(storage, selection, int(wanted or 0), initial)
    revision = storage.revision
    unsubscribe = storage.subscribe(queue.put_nowait)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    try:
        await response.prepare(request)
        request[STREAM_STARTED](200)
        stream = _Stream(response, representation)
        if replay is None:
            message = f"too old resource version: {wanted} ({storage.revision})"
            await stream.raw("ERROR", expired(message).body())
            return response
        for kind, obj in replay:
            await stream.object(kind, obj)
        if initial:
            await stream.bookmark(revision, _INITIAL_EVENTS_END)
        await _follow(stream, queue, selection, seconds, storage if bookmarks else None)
    finally:
        unsubscribe()
    return response


def _replay(
    storage: Storage, selection: Selection, revision: int, initial: bool
) -> list[tuple[str, Object]] | None:
    """What a watch starts with; None if that is no longer known."""
    if initial or not revision:
        return [("ADDED", obj) for obj in selection.of_storage(storage)]
    events = storage.events_since(revision)
    if events is None:
        return None
    kinds = ((selection.kind_of(event), event.object) for event in events)
    return [(kind, obj) for kind, obj in kinds if kind]


async def _follow(
    stream: _Stream,
    queue: asyncio.Queue[Event],
    selection: Selection,
    seconds: float,
    bookmarks: Storage | None,
) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            event = await asyncio.wait_for(queue.get(), min(left, _BOOKMARK_EVERY))
        except TimeoutError:
            if bookmarks is not None:
                await stream.bookmark(bookmarks.revision)
            continue
        if kind := selection.kind_of(event):
            await stream.object(kind, event.object)
