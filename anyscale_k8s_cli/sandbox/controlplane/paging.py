"""Lists in pages, as the API hands them out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused

DEFAULT_COUNT = 10
MAX_COUNT = 1000
# The lists of API keys are stricter than the others.
MOST_KEYS = 50


def page(
    request: web.Request, items: Sequence[dict[str, Any]], *, most: int = MAX_COUNT
) -> dict[str, Any]:
    """The page that `count`, `most` at most, and `paging_token` ask for."""
    start = _start(request.query.get("paging_token"))
    count = _count(request.query.get("count"), most)
    end = start + count
    token = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
    return {
        "results": list(items[start:end]),
        "metadata": {"total": len(items), "next_paging_token": token},
    }


def _count(text: str | None, most: int) -> int:
    if text is None:
        return DEFAULT_COUNT
    if not text.isdigit() or not 0 < int(text) <= most:
        message = f"must be a whole number from 1 to {most}"
        raise Refused(422, [{"loc": ["query", "count"], "msg": message, "type": "value_error"}])
    return int(text)


def _start(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError):
        raise Refused(400, "paging_token is not valid.") from None
