"""What the operator needs of the cloud it runs in: who it is, and its bucket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

# Gives the pod's projected token for an audience; raises LookupError if there is none.
Tokens = Callable[[str], Awaitable[str]]


class CloudFailure(Exception):
    """The cloud said no, or nothing; the text is for the operator's log."""


class CloudSession(Protocol):
    """Credentials for a while. Every call raises :class:`CloudFailure`.

    `storage` is the registered `object_storage`.
    """

    @property
    def source(self) -> str:
        """Where the credentials come from, for the log."""
        ...

    async def identity(self) -> str:
        """Who this is, in the cloud's own words; empty where it has no such notion."""
        ...

    async def proof(self) -> dict[str, Any]:
        """What shows the control plane who this is."""
        ...

    async def storage_keys(self) -> dict[str, Any]:
        """What lets the control plane use the bucket for a while."""
        ...

    async def put(self, storage: dict[str, Any], key: str, content: bytes) -> None: ...

    async def get(self, storage: dict[str, Any], key: str) -> bytes: ...

    async def list(self, storage: dict[str, Any], prefix: str) -> None: ...

    async def delete(self, storage: dict[str, Any], key: str) -> None: ...


class OperatorCloud(Protocol):
    """A cloud as the operator's SDK finds it from its pod's environment."""

    async def session(self) -> CloudSession:
        """Credentials, from wherever the platform provides them."""
        ...
