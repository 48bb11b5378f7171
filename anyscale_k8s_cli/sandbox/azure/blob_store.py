"""What is in storage accounts: keys, containers, blobs, and the blob service's settings."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5, sha256
from typing import Any

_CONTAINER_NAME = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]|\$root|\$logs|\$web")


@dataclass(frozen=True)
class Blob:
    """One block blob."""

    content: bytes
    content_type: str
    modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return _etag(self.content + self.modified.isoformat().encode())

    @property
    def md5(self) -> str:
        return base64.b64encode(md5(self.content, usedforsecurity=False).digest()).decode()


@dataclass
class Container:
    """`blocks` are those not yet committed, by blob and id."""

    created: datetime
    public_access: str = "None"
    metadata: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    blocks: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return _etag(self.created.isoformat().encode())


@dataclass
class BlobAccount:
    """The data of one account. `settings` are the properties of its blob service."""

    name: str
    clock: Callable[[], datetime]
    removal_attempts: int = 1
    keys: dict[str, str] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    # Names of deleted containers, with the attempts for which they are still taken.
    being_deleted: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("key1", "key2"):
            self.keys.setdefault(name, base64.b64encode(secrets.token_bytes(64)).decode())
        self.settings.setdefault("cors", {"corsRules": []})
        self.settings.setdefault("deleteRetentionPolicy", {"enabled": False})
        self.settings.setdefault("containerDeleteRetentionPolicy", {"enabled": False})

    @property
    def cors(self) -> Sequence[Mapping[str, Any]]:
        rules: Sequence[Mapping[str, Any]] = self.settings["cors"]["corsRules"]
        return rules

    def add_container(
        self, name: str, public_access: str = "None", metadata: Mapping[str, str] | None = None
    ) -> Container:
        container = Container(self.clock(), public_access, dict(metadata or {}))
        self.containers[name] = container
        return container

    def remove_container(self, name: str) -> bool:
        """Whether there was one; its name is free again only after a while."""
        if self.containers.pop(name, None) is None:
            return False
        self.being_deleted[name] = self.removal_attempts
        return True

    def still_being_deleted(self, name: str) -> bool:
        """One attempt to take a name again."""
        left = self.being_deleted.get(name, 0)
        if left:
            self.being_deleted[name] = left - 1
        return bool(left)

    def put(self, container: Container, name: str, content: bytes, content_type: str = "") -> Blob:
        blob = Blob(content, content_type or "application/octet-stream", self.clock())
        container.blobs[name] = blob
        return blob


def _etag(content: bytes) -> str:
    return f"0x{sha256(content).hexdigest()[:15].upper()}"


def valid_container_name(name: str) -> bool:
    """https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata"""
    return _CONTAINER_NAME.fullmatch(name) is not None
