"""Read the question, answer it line by line."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from . import azure, google, gpu, reach, s3, work
from .report import end, tell
from .store import CONTENT, Store, round_trip
from .wire import ANSWERS_NOT, described, let_in

# By the scheme of the bucket's address.
_STORES = {
    "s3": s3.store,
    "gs": google.store,
    "abfss": azure.store,
    "azure": azure.store,
}


def main() -> int:
    question: dict[str, Any] = json.loads(
        (Path(__file__).parent / "question.json").read_text(encoding="utf-8")
    )
    content = work.done(question["work"]) if question.get("work") else CONTENT
    if question.get("gpu"):
        gpu.look(os.environ)
    if question.get("store"):
        _use(question["store"], content)
    reach.try_all(question.get("hosts") or [])
    end()
    return 0


def _use(asked: dict[str, Any], content: bytes) -> None:
    scheme = str(asked["url"]).partition("://")[0]
    until = time.monotonic() + float(asked.get("patience") or 0)
    try:
        store: Store = let_in(lambda: _STORES[scheme](asked, os.environ), until)
    except ANSWERS_NOT as problem:
        tell("store", "credentials", **described(problem))
        return
    tell("store", "credentials", ok=True, said=store.source, at=store.at)
    round_trip(store, str(asked["key"]), content, until)


if __name__ == "__main__":
    sys.exit(main())
