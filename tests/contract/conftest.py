"""What is slow to make, once for all stand-ins."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli.sandbox import rsa_keys


def _short_key() -> rsa.RSAPrivateKey:
    """Nobody is kept out by it: a key of full length takes each SDK ten times as long to load."""
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    return _short_key()


@pytest.fixture(scope="session", autouse=True)
def few_keys() -> Iterator[None]:
    """Stand-ins take turns with a few keys: to make new ones for each is most of their start."""
    made = itertools.cycle([_short_key() for _ in range(8)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rsa_keys, "new", lambda: next(made))
        yield


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
