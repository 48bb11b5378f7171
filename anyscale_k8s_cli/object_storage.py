"""What is the same for the buckets of all platforms: proof by use, and what is in them.

Belongs here: what asks for objects only by the four verbs below. How a platform
is asked, and what its answers mean, is the provider's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import humanize

PROOF_KEY = "anyscale-k8s-cli/identity-proof.txt"
_CONTENT = (
    b"Written by anyscale-k8s-cli to prove that the operator's identity may use this bucket.\n"
)


class Objects(Protocol):
    """The objects of one bucket, seen as one identity."""

    def put(self, key: str, content: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def keys(self, prefix: str) -> Sequence[str]: ...

    def remove(self, key: str) -> None: ...


class Contradiction(Exception):
    """A bucket answered something else than was written to it."""


Step = Callable[[str, Callable[[], Any]], Any]


def round_trip(objects: Objects, step: Step) -> None:
    """Put, get, list and delete one small object.

    `step(verb, call)` makes the call, in the provider's own way of repeating and
    explaining it. Raises what it raises, and :class:`Contradiction`.
    """
    step("put", lambda: objects.put(PROOF_KEY, _CONTENT))
    if step("get", lambda: objects.get(PROOF_KEY)) != _CONTENT:
        raise Contradiction("was read other than written")
    if PROOF_KEY not in step("list", lambda: objects.keys(PROOF_KEY)):
        raise Contradiction("was written and is not listed")
    step("delete", lambda: objects.remove(PROOF_KEY))


def summary(versions: int, size: int) -> str:
    """What a bucket holds, for people; `size` in bytes."""
    return f"{versions:,} object versions, {humanize.naturalsize(size, binary=True)}"
