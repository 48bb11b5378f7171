"""Waiting with a watch: list, follow, list again when the server has forgotten where we were."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import urllib3

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.documents import Document, Documents
from anyscale_k8s_cli.cluster.transport import KubernetesError, Request, Transport
from anyscale_k8s_cli.events import StepWaited, StepWaiting
from anyscale_k8s_cli.run import Run, StillWaiting, current_step

# A watch is a blocking read that nothing interrupts from outside, so each ends
# by itself after this long and the next goes on from where it stood.
WATCH_SECONDS = 4
# Between attempts while the server does not answer or does not know the kind.
PAUSE_SECONDS = 1.0
# A watch that ends sooner than this was cut off by something in between.
TOO_SHORT = 0.2

T = TypeVar("T")
Snapshots = Generator[Documents, None, None]


class _Forgotten(Exception):
    """The server no longer knows the version to go on from."""


@dataclass(frozen=True)
class Watched:
    """A collection. `path` answers None while the API does not serve the kind."""

    path: Callable[[], str | None]
    api_version: str
    kind: str
    query: Mapping[str, str]


class Watcher:
    """Follows collections."""

    def __init__(self, transport: Transport, run: Run) -> None:
        self._transport = transport
        self._run = run

    def until(
        self,
        watched: Watched,
        done: Callable[[Documents], T],
        *,
        what: str,
        timeout: float,
        expired: Callable[[str], errors.CliError] | None,
    ) -> T:
        """Feed each state of the collection to `done` until it returns, at most `timeout` s.

        Where `expired` tells why, that is told also when the command's own limit comes first.
        """
        deadline = time.monotonic() + (self._run.patience(timeout) if expired else timeout)
        key = current_step.get()
        self._run.emit(StepWaiting(key=key, what=what))
        last = ""
        with closing(self._snapshots(watched, deadline)) as snapshots:
            for objects in snapshots:
                self._run.check()
                try:
                    result = done(objects)
                except StillWaiting as seen:
                    if str(seen) != last:
                        last = str(seen)
                        self._run.emit(StepWaiting(key=key, what=what, detail=last))
                else:
                    self._run.emit(StepWaited(key=key, what=what))
                    return result
        if expired is not None:
            raise expired(last)
        raise errors.CliError(
            errors.TIMED_OUT,
            f"Waited {timeout:.0f} s for {what}",
            cause=last or "no answer",
            fix="run the same command again to go on",
        )

    def _snapshots(self, watched: Watched, deadline: float) -> Snapshots:
        """All objects, again after each change and at least every few seconds, to the deadline.

        A server that does not answer for a while is asked again; a refusal is raised.
        """
        while True:
            try:
                path = watched.path()
                if path is None:
                    yield []
                else:
                    yield from self._follow(path, watched, deadline)
            except _Forgotten:
                pass
            except KubernetesError as problem:
                if not problem.transient or time.monotonic() >= deadline:
                    raise
                self._run.emit(
                    StepWaiting(
                        key=current_step.get(), what="the cluster's API", detail=problem.cause
                    )
                )
            if time.monotonic() >= deadline:
                return
            self._run.pause(PAUSE_SECONDS)

    def _follow(self, path: str, watched: Watched, deadline: float) -> Snapshots:
        query = dict(watched.query)
        listed: Document = json.loads(self._transport.send(Request("GET", path, query)))
        version = str(listed["metadata"]["resourceVersion"])
        defaults = {"apiVersion": watched.api_version, "kind": watched.kind}
        objects = {item["metadata"]["uid"]: defaults | item for item in listed.get("items") or []}
        while True:
            yield list(objects.values())
            started = time.monotonic()
            if started >= deadline:
                return
            seconds = min(WATCH_SECONDS, math.ceil(deadline - started))
            with closing(self._events(path, query, version, seconds)) as events:
                for event in events:
                    found = event["object"]
                    version = str(found["metadata"]["resourceVersion"])
                    if event["type"] == "BOOKMARK":
                        continue
                    if event["type"] == "DELETED":
                        objects.pop(found["metadata"]["uid"], None)
                    else:
                        objects[found["metadata"]["uid"]] = found
                    yield list(objects.values())
            if time.monotonic() - started < TOO_SHORT:
                self._run.pause(PAUSE_SECONDS)

    def _events(
        self, path: str, query: Mapping[str, str], version: str, seconds: int
    ) -> Generator[Document, None, None]:
        watching = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        request = Request("GET", path, {**query, **watching})
        try:
            response = self._transport.stream(request, idle_seconds=seconds + WATCH_SECONDS)
        except KubernetesError as problem:
            if problem.status == 410:
                raise _Forgotten from problem
            raise
        with closing(response):
            for line in _lines(response):
                event: Document = json.loads(line)
                if event["type"] == "ERROR":
                    raise _Forgotten
                yield event


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    try:
        for piece in response.stream():
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line for line in lines if line.strip())
    except urllib3.exceptions.HTTPError:
        # Cut off in the middle: what was read so far counts, the next watch goes on.
        return
