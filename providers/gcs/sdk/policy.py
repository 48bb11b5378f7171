"""IAM policies: who has which role on one object, with the etag they were read at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any


def member_of(email: str) -> str:
    """How policies name a service account."""
    return f"serviceAccount:{email}"


@dataclass(frozen=True)
class Grant:
    """One member's one role."""

    role: str
    member: str


@dataclass(frozen=True)
class Policy:
    """`bindings` as Google writes them; other people's stay as they are."""

    bindings: tuple[Mapping[str, Any], ...]
    etag: str = ""
    version: int = 1

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Policy:
        return cls(
            tuple(document.get("bindings") or ()),
            str(document.get("etag") or ""),
            int(document.get("version") or 1),
        )

    def as_json(self) -> dict[str, Any]:
        return {"version": self.version, "etag": self.etag, "bindings": list(self.bindings)}

    @property
    def grants(self) -> frozenset[Grant]:
        """Those that hold without a condition."""
        return frozenset(
            grant
            for binding in self.bindings
            if not binding.get("condition")
            for grant in _grants(binding)
        )

    def ghosts(self, email: str) -> frozenset[Grant]:
        """Grants to deleted accounts of that e-mail: a new one of the name gets nothing by them.

        Google refuses a policy that names both.
        """
        prefix = f"deleted:{member_of(email)}?"
        return frozenset(
            grant
            for binding in self.bindings
            for grant in _grants(binding)
            if grant.member.startswith(prefix)
        )

    def changed(self, *, add: Iterable[Grant] = (), remove: Iterable[Grant] = ()) -> Policy:
        """The same with grants added and taken away, the latter with and without a condition."""
        gone = frozenset(remove)
        missing = sorted(frozenset(add) - self.grants, key=lambda item: (item.role, item.member))
        bindings: list[Mapping[str, Any]] = []
        for binding in self.bindings:
            members = [grant.member for grant in _grants(binding) if grant not in gone]
            if not binding.get("condition"):
                role = binding.get("role")
                members += [grant.member for grant in missing if grant.role == role]
                missing = [grant for grant in missing if grant.role != role]
            if members:
                bindings.append({**binding, "members": members})
        bindings += [{"role": grant.role, "members": [grant.member]} for grant in missing]
        return replace(self, bindings=tuple(bindings))


def _grants(binding: Mapping[str, Any]) -> list[Grant]:
    return [Grant(str(binding.get("role")), str(member)) for member in binding.get("members") or ()]
