"""A piece of work that takes a processor, and whose result whoever asks knows as well."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from typing import Any

from .report import tell


def done(asked: Mapping[str, Any]) -> bytes:
    """The result, which is told with the node that it was found on."""
    started = time.monotonic()
    text = str(asked["text"]).encode()
    result = hashlib.pbkdf2_hmac("sha256", text, b"anyscale-k8s", int(asked["rounds"])).hex()
    seconds = round(time.monotonic() - started, 3)
    tell("work", "compute", ok=True, said=result, at=os.environ.get("NODE", ""), seconds=seconds)
    return f"{result}\n".encode()
