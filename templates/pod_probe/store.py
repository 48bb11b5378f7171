"""The round trip: every verb that Ray's pods use on their bucket, each told by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .report import tell
from .wire import ANSWERS_NOT, Unlike, described, let_in

CONTENT = b"Written by anyscale-k8s-cli from a pod, to prove that workloads may use this bucket.\n"


class Store:
    """One bucket, opened with the pod's credentials. What a verb raises is in `wire.py`.

    `source` says where the credentials come from, `at` where the store is.
    """

    source = ""
    at = ""
    # Large objects are written in parts, which takes other calls than small ones.
    in_parts = False

    def put(self, key: str, content: bytes) -> None:
        raise NotImplementedError

    def get(self, key: str) -> bytes:
        raise NotImplementedError

    def keys(self, prefix: str) -> list[str]:
        raise NotImplementedError

    def delete(self, key: str) -> None:
        raise NotImplementedError

    def put_in_parts(self, key: str, content: bytes) -> None:
        raise NotImplementedError


def round_trip(store: Store, key: str, content: bytes = CONTENT, until: float = 0.0) -> None:
    """Write, read, list, write in parts and delete one small object.

    A denial counts `until` a monotonic time for one that passes.

    Where writing is refused the others are asked all the same, as far as they can tell
    anything: somebody who may only read is told from somebody who may do nothing.
    """

    def tried(step: str, call: Callable[[], Any]) -> bool:
        return _try(step, lambda: let_in(call, until))

    written = tried("put", lambda: store.put(key, content))
    if written:
        tried("get", lambda: _read_back(store, key, content))
    tried("list", lambda: _listed(store, key if written else None))
    if store.in_parts and tried("multipart", lambda: store.put_in_parts(key, content)):
        written = True
    if written:
        tried("delete", lambda: store.delete(key))


def _read_back(store: Store, key: str, content: bytes) -> None:
    if store.get(key) != content:
        raise Unlike("what was read is not what was written")


def _listed(store: Store, key: str | None) -> None:
    found = store.keys(key or "")
    if key and key not in found:
        raise Unlike("what was written is not listed")


def _try(step: str, call: Callable[[], Any]) -> bool:
    started = time.monotonic()
    try:
        call()
    except ANSWERS_NOT as problem:
        tell("store", step, **described(problem))
        return False
    tell("store", step, ok=True, seconds=round(time.monotonic() - started, 3))
    return True
