"""Answers that say no, in the control plane's envelope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import ValidationError


@dataclass(eq=False)
class Refused(Exception):
    """`detail` is a sentence, or a validator's list with status 422."""

    status: int
    detail: str | list[dict[str, Any]]

    def as_response(self) -> web.Response:
        return envelope(self.status, self.detail)


def envelope(status: int, detail: str | list[dict[str, Any]]) -> web.Response:
    """An error answer; a list of complaints gets a readable `message` beside it."""
    error: dict[str, Any] = {"detail": detail}
    if isinstance(detail, list):
        error["message"] = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in detail
        )
    return web.json_response({"error": error}, status=status)


def invalid(problem: ValidationError) -> Refused:
    """A body that does not fit, as the validator of the real one lists it."""
    listed = [
        {"loc": ["body", *item["loc"]], "msg": item["msg"], "type": item["type"]}
        for item in problem.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Refused(422, listed)


def not_found(kind: str, which: str) -> Refused:
    return Refused(404, f"{kind} {which} not found")
