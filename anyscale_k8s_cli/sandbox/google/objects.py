"""The objects of one bucket, with their generations.

https://cloud.google.com/storage/docs/json_api/v1/objects
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

_POLYNOMIAL = 0x82F63B78


@dataclass(frozen=True, slots=True)
class Stored:
    """One generation of an object."""

    name: str
    generation: int
    content: bytes = field(repr=False)
    content_type: str
    created_at: datetime
    metadata: tuple[tuple[str, str], ...] = ()

    @property
    def md5(self) -> str:
        digest = hashlib.md5(self.content, usedforsecurity=False).digest()
        return base64.b64encode(digest).decode()

    @property
    def crc32c(self) -> str:
        return base64.b64encode(crc32c(self.content).to_bytes(4, "big")).decode()


@dataclass
class Objects:
    """Live objects by name, and for each name what was there before, oldest first."""

    live: dict[str, Stored] = field(default_factory=dict)
    noncurrent: list[tuple[Stored, datetime]] = field(default_factory=list)
    soft_deleted: list[tuple[Stored, datetime]] = field(default_factory=list)
    _generation: int = 1_748_851_905_000_000

    @property
    def empty(self) -> bool:
        """Whether there is nothing that would keep the bucket from being deleted."""
        return not self.live and not self.noncurrent

    def put(
        self,
        name: str,
        content: bytes,
        content_type: str,
        now: datetime,
        *,
        metadata: tuple[tuple[str, str], ...] = (),
        versioned: bool,
        soft_delete: bool,
    ) -> Stored:
        self._retire(name, now, versioned=versioned, soft_delete=soft_delete)
        self._generation += 1_000_007
        stored = Stored(name, self._generation, content, content_type, now, metadata)
        self.live[name] = stored
        return stored

    def find(self, name: str, generation: int | None = None) -> Stored | None:
        live = self.live.get(name)
        if generation is None or (live is not None and live.generation == generation):
            return live
        return next((old for old, _ in self.noncurrent if old.generation == generation), None)

    def delete(
        self,
        name: str,
        generation: int | None,
        now: datetime,
        *,
        versioned: bool,
        soft_delete: bool,
    ) -> bool:
        """Delete the live object, or one generation for good; False if there is none."""
        if generation is None:
            return self._retire(name, now, versioned=versioned, soft_delete=soft_delete)
        found = self.find(name, generation)
        if found is None:
            return False
        if self.live.get(name) is found:
            del self.live[name]
        self.noncurrent = [(old, when) for old, when in self.noncurrent if old is not found]
        if soft_delete:
            self.soft_deleted.append((found, now))
        return True

    def listed(self, *, versions: bool) -> Iterator[tuple[Stored, datetime | None]]:
        """Objects in order of their names, with when each ceased to be the live one."""
        found: list[tuple[Stored, datetime | None]] = [(live, None) for live in self.live.values()]
        if versions:
            found += self.noncurrent
        yield from sorted(found, key=lambda item: (item[0].name, item[0].generation))

    def _retire(self, name: str, now: datetime, *, versioned: bool, soft_delete: bool) -> bool:
        live = self.live.pop(name, None)
        if live is None:
            return False
        if versioned:
            self.noncurrent.append((live, now))
        elif soft_delete:
            self.soft_deleted.append((live, now))
        return True


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ _POLYNOMIAL if value & 1 else value >> 1
        table.append(value)
    return table


_TABLE = tuple(_table())


def crc32c(content: bytes) -> int:
    """The Castagnoli checksum, which the clients compare."""
    value = 0xFFFFFFFF
    for byte in content:
        value = _TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF
