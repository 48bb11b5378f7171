"""What an object is there for: declared as data, beside what makes it, and known offline."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_OPEN = re.compile(r"<[^>]+>")


class Fate(StrEnum):
    """What a deletion does with an object of this tool's."""

    DELETED = "deleted"
    KEPT = "kept"
    SHARED = "shared"
    UNTOUCHED = "untouched"

    @property
    def told(self) -> str:
        return _TOLD[self]


_TOLD = {
    Fate.DELETED: "it goes when the cloud is deleted",
    Fate.KEPT: "it stays with all data in it, unless --delete-bucket names it",
    Fate.SHARED: "it stays as long as anybody uses it, and goes with the last install that does",
    Fate.UNTOUCHED: "it is not of this tool's making, and is never changed or deleted",
}


@dataclass(frozen=True)
class Purpose:
    """Why objects of one sort exist, in a sentence each.

    `kind` is that of the resource; `key` its key, with what differs from install to
    install in angle brackets. `without` is what breaks when it is gone.
    """

    kind: str
    key: str
    title: str
    why: str
    without: str
    fate: Fate = Fate.DELETED

    @property
    def sort(self) -> str:
        """What all its keys begin with, `aws:iam-role`."""
        return self.key.partition("/")[0]

    def tells_of(self, key: str) -> bool:
        """Whether the key of an object is one of these."""
        parts = _OPEN.split(self.key)
        return re.fullmatch(".+".join(map(re.escape, parts)), key) is not None


def purpose_of(key: str, purposes: Iterable[Purpose]) -> Purpose | None:
    """The one that tells of an object: that with the most said in its key."""
    fitting = [item for item in purposes if item.tells_of(key)]
    return max(fitting, key=lambda item: len(_OPEN.sub("", item.key)), default=None)
