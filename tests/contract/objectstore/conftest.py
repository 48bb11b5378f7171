"""A store of its own for each test, with the quirks that the test names."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.config import Config

from anyscale_k8s_cli.sandbox.objectstore.standin import ObjectStoreStandIn
from anyscale_k8s_cli.sandbox.objectstore.state import Key, ObjectStore, Quirk
from anyscale_k8s_cli.sandbox.wire import Wire

REGION = "onprem-1"
HOST = "objects.example"


class RunningStore:
    """The stand-in, served from a thread of its own, and the keys of its owner."""

    def __init__(self, *quirks: Quirk) -> None:
        self.wire = Wire()
        self.store = ObjectStore(region=REGION, quirks=frozenset(quirks), host=HOST)
        self.stand_in = ObjectStoreStandIn(self.wire, self.store)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self.stand_in.start())
        self.key: Key = self.store.issue()

    @property
    def url(self) -> str:
        return self.stand_in.url

    @property
    def named_url(self) -> str:
        """By the host's name, for a client that goes through `url` as its proxy."""
        return f"http://{HOST}"

    def sdk(self, **settings: Any) -> Any:
        """The SDK's own client, by its own defaults but for `settings`."""
        named = settings.pop("named", False)
        return boto3.client(
            "s3",
            endpoint_url=self.named_url if named else self.url,
            region_name=settings.pop("region", REGION),
            aws_access_key_id=settings.pop("access_key", self.key.id),
            aws_secret_access_key=settings.pop("secret", self.key.secret),
            config=Config(
                proxies={"http": self.url} if named else None,
                retries={"total_max_attempts": 1},
                **settings,
            ),
        )

    def calls(self) -> list[str]:
        return [call.operation.name for call in self.wire.calls()]

    def close(self) -> None:
        self._do(self.stand_in.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@pytest.fixture
def running() -> Iterator[Callable[..., RunningStore]]:
    with ExitStack() as stack:

        def run(*quirks: Quirk) -> RunningStore:
            made = RunningStore(*quirks)
            stack.callback(made.close)
            return made

        yield run
