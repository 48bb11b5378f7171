"""Which request to Azure Resource Manager means which operation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from anyscale_k8s_cli.sandbox.azure.directory import Principal
from anyscale_k8s_cli.sandbox.azure.errors import bad_request

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = SUBSCRIPTION + "/resourceGroups/{group}"
_LABEL = re.compile(r"\{(\w+)\}")
_SINGLETONS = {"default"}


@dataclass(frozen=True)
class Answer:
    """What goes back; a body of None is an empty one."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ArmRequest:
    """One request. `labels` are the variable parts of its path, as they were written."""

    method: str
    path: str
    query: Mapping[str, str]
    labels: Mapping[str, str]
    raw: Any
    base: str
    caller: Principal | None = None

    def __getitem__(self, label: str) -> str:
        return self.labels[label]

    @property
    def body(self) -> dict[str, Any]:
        """The body; raises a 400 where it is no object."""
        if not isinstance(self.raw, dict):
            raise bad_request(
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized.",
            )
        return self.raw

    @property
    def properties(self) -> dict[str, Any]:
        return dict(self.body.get("properties") or {})


Handler = Callable[[ArmRequest], Answer]


class Needs(Enum):
    """Where a caller needs the right of an operation.

    With IN_LIST a list shows what its caller may read, and no more; with NOWHERE the
    operation judges by itself.
    """

    AT_SCOPE = auto()
    IN_LIST = auto()
    NOWHERE = auto()


@dataclass(frozen=True)
class Route:
    """An operation: its name in Azure's specifications, and the right that it takes.

    An empty action lets everybody through who is signed in.
    """

    method: str
    path: str
    operation: str
    action: str
    handler: Handler
    needs: Needs = Needs.AT_SCOPE

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        parts = []
        for part in re.split(r"(\{\w+\})", self.path):
            label = _LABEL.fullmatch(part)
            if label is None:
                parts.append(re.escape(part))
            elif label[1] == "scope":
                # At any scope: a subscription, a group, a resource.
                parts.append(r"(?P<scope>/subscriptions/.+?)")
            else:
                parts.append(f"(?P<{label[1]}>[^/]+)")
        return re.compile("".join(parts), re.IGNORECASE)

    @property
    def service(self) -> str:
        """The resource provider's namespace in lower case."""
        return self.action.split("/", 1)[0].lower() or "microsoft.resources"

    @property
    def writes(self) -> bool:
        return self.method in ("PUT", "PATCH", "DELETE")

    def scope(self, path: str) -> str:
        """The scope at which a request of this kind needs its right."""
        parts = path.rstrip("/").split("/")
        last = self.path.rsplit("/", 1)[-1]
        if self.method == "POST" or not (_LABEL.fullmatch(last) or last in _SINGLETONS):
            parts = parts[:-1]
            if len(parts) > 1 and parts[-2].lower() == "providers":
                parts = parts[:-2]
        return "/".join(parts)


class Routes:
    """All operations; a path is matched without regard to case."""

    def __init__(self, routes: Sequence[Route]) -> None:
        # The more of a path is fixed, the earlier: a name must not hide an operation.
        self._routes = sorted(routes, key=lambda route: -len(_LABEL.sub("", route.path)))

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self._routes:
            found = route.pattern.fullmatch(path) if route.method == method else None
            if found is not None:
                labels = {key: unquote(value) for key, value in found.groupdict().items()}
                return route, labels
        return None

    def known(self, path: str) -> bool:
        """Whether there is any operation at a path."""
        return any(route.pattern.fullmatch(path) for route in self._routes)
