"""What the services of the stand-in are made of: calls, answers, and routes to what gives them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.oci.refusals import Refused, invalid, stale

_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Call:
    """A request with who makes it. `path` are the fields of its route."""

    caller: str
    region: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    def asked(self, name: str) -> str:
        """A parameter that must be said."""
        if not self.query.get(name):
            raise invalid(f"Query parameter {name} is required")
        return self.query[name]

    def said(self, *names: str) -> None:
        """Raises for what the body must have."""
        if missing := [name for name in names if not self.body.get(name)]:
            raise Refused(400, "MissingParameter", f"{missing[0]} may not be null")

    def guard(self, etag: str) -> None:
        """Raises if the caller has seen another version than there is."""
        wanted = self.headers.get("if-match", "")
        if wanted not in ("", "*", etag):
            raise stale()


@dataclass(frozen=True)
class Answer:
    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


GONE = Answer(status=204)


@dataclass(frozen=True)
class Route:
    """`name` is the SDK's word for the call, which the record has. `home_only`: refused
    in other regions than the tenancy's own. `reads`: a POST that changes nothing."""

    name: str
    method: str
    path: str
    answer: Callable[[Call], Answer]
    home_only: bool = False
    reads: bool = False

    @property
    def writes(self) -> bool:
        return self.method != "GET" and not self.reads

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(_FIELD.sub(r"(?P<\1>[^/]+)", self.path))


def page(items: list[dict[str, Any]], query: Mapping[str, str]) -> Answer:
    """The part of a list that is asked for; a header tells where the next one begins."""
    start = int(query.get("page") or 0)
    size = min(int(query.get("limit") or 100), 1000)
    more = {"opc-next-page": str(start + size)} if len(items) > start + size else {}
    return Answer(items[start : start + size], headers=more)
