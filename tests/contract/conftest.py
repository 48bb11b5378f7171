"""What is slow to make, once for all stand-ins."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.short_keys import short_key


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    return short_key()


@pytest.fixture(scope="session")
def served() -> Iterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """Runs coroutines in a loop of its own, so that the SDKs may wait in the tests' thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
