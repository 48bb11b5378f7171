"""A started Nebius stand-in, and Nebius' own SDK in front of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from nebius.base.options import INSECURE
from nebius.base.resolver import Constant
from nebius.sdk import SDK

from anyscale_k8s_cli.sandbox.nebius.standin import NebiusSettings, NebiusStandIn
from anyscale_k8s_cli.sandbox.nebius.storage import Holding
from anyscale_k8s_cli.sandbox.wire import Wire

PATIENCE: dict[str, Any] = {"timeout": 10, "retries": 0}


class Shelf:
    """The least that a store must be for buckets to have a place: names, and how full they are."""

    def __init__(self) -> None:
        self.full: dict[str, int] = {}
        self.cors: dict[str, Sequence[Mapping[str, Any]]] = {}

    def has(self, bucket: str) -> bool:
        return bucket in self.full

    def create(self, bucket: str) -> None:
        self.full[bucket] = 0

    def remove(self, bucket: str) -> None:
        del self.full[bucket]

    def holds(self, bucket: str) -> Holding:
        return Holding(self.full[bucket])

    def set_cors(self, bucket: str, rules: Sequence[Mapping[str, Any]]) -> None:
        self.cors[bucket] = rules


class Site:
    """The stand-in with what is around it."""

    def __init__(self, settings: NebiusSettings) -> None:
        self.wire, self.shelf = Wire(), Shelf()
        self.stand_in = NebiusStandIn(self.wire, self.shelf, settings)

    def sdk(self, **who: Any) -> SDK:
        return SDK(
            resolver=Constant(self.stand_in.url.removeprefix("http://")),
            options=[(INSECURE, True)],
            user_agent_prefix="tests/1",
            **who,
        )


@pytest.fixture
def settings() -> NebiusSettings:
    return NebiusSettings()


@pytest.fixture
def site(served: Any, settings: NebiusSettings) -> Iterator[Site]:
    site = Site(settings)
    served(site.stand_in.start())
    yield site
    served(site.stand_in.stop())


@pytest.fixture
def admin(site: Site, tmp_path: Path) -> Iterator[SDK]:
    key = site.stand_in.environment(tmp_path)["NEBIUS_CREDENTIALS_FILE"]
    sdk = site.sdk(credentials_file_name=key)
    yield sdk
    sdk.sync_close()
