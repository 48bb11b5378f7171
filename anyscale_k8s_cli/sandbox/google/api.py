"""What the modules of the services have in common: methods, calls and replies, no HTTP server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from multidict import CIMultiDictProxy, MultiMapping

from anyscale_k8s_cli.sandbox.google.errors import invalid
from anyscale_k8s_cli.sandbox.google.tokens import CLOUD_PLATFORM, Caller

NOBODY = Caller("")


@dataclass(frozen=True)
class Reply:
    """An answer. `body` is sent as JSON unless it is bytes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One request to a method. `base` is where the service answers here."""

    http_method: str
    path: str
    params: Mapping[str, str]
    query: MultiMapping[str]
    headers: CIMultiDictProxy[str]
    body: bytes
    base: str
    caller: Caller = NOBODY

    @cached_property
    def content(self) -> dict[str, Any]:
        """The JSON object in the body; an empty body is an empty one."""
        try:
            found = json.loads(self.body) if self.body else {}
        except ValueError:
            raise invalid("Invalid JSON payload received. Unexpected token.") from None
        if not isinstance(found, dict):
            raise invalid("Invalid JSON payload received. Expected an object.")
        return found

    def flag(self, name: str) -> bool:
        """A yes or no of the query; clients write it in their own languages."""
        return self.query.get(name, "").lower() == "true"


Handle = Callable[[Call], Reply]


@dataclass(frozen=True)
class Method:
    """A method of an API by its name in Google's discovery documents.

    `path` is a route below the service's address. `secret`: its body is not recorded.
    `open`: it takes callers without a token.
    """

    name: str
    http_method: str
    path: str
    handle: Handle
    write: bool = False
    secret: bool = False
    open: bool = False
    scopes: frozenset[str] = frozenset({CLOUD_PLATFORM})


@dataclass(frozen=True)
class Service:
    """An API. `old_form`: its errors have the older form."""

    name: str
    methods: tuple[Method, ...]
    old_form: bool = False
    always_enabled: bool = False

    @property
    def host(self) -> str:
        return f"{self.name}.googleapis.com"
