"""What the services of the stand-in are made of: calls, and the methods that answer them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A request with who makes it; the caller is empty where nobody needs to be."""

    request: Any
    caller: str


@dataclass(frozen=True)
class Method:
    """How a call is answered.

    `permission` is checked on what `about` names before the answer is made; empty where
    there is nothing to check. `subject` is for the record of calls: what it is about.
    """

    answer: Callable[[Call], Any]
    permission: str = ""
    about: Callable[[Any], str] = lambda request: str(getattr(request, "id", ""))
    write: bool = False
    anonymous: bool = False

    def resource(self, request: Any) -> str:
        """What a request is about, for the record."""
        metadata = getattr(request, "metadata", None)
        name = str(metadata.name or metadata.id) if metadata is not None else ""
        return name or str(getattr(request, "name", "") or getattr(request, "id", ""))


Methods = Mapping[str, Method]


def parent(request: Any) -> str:
    """The parent that a request to list or to find by name tells."""
    return str(request.parent_id)


def new_parent(request: Any) -> str:
    """The parent of what is to be created."""
    return str(request.metadata.parent_id)


def changed(request: Any) -> str:
    """What is to be updated."""
    return str(request.metadata.id)
