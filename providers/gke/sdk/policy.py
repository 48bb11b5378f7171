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
            Grant(str(binding.get("role")), str(member))
            for binding in self.bindings
            if not binding.get("condition")
            for member in binding.get("members") or ()
        )

    def ghosts(self, email: str) -> frozenset[Grant]:
        """Grants to deleted accounts of that e-mail: a new one of the name gets nothing by them."""
        prefix = f"deleted:{member_of(email)}?"
        return frozenset(grant for grant in self.grants if grant.member.startswith(prefix))

    def changed(self, *, add: Iterable[Grant] = (), remove: Iterable[Grant] = ()) -> Policy:
        """The same with grants added and taken away; conditional bindings are left alone."""
        wanted = (self.grants - frozenset(remove)) | frozenset(add)
        roles: dict[str, list[str]] = {}
        for binding in self.bindings:
            if not binding.get("condition"):
                roles.setdefault(str(binding.get("role")), [])
        for grant in sorted(wanted, key=lambda item: (item.role, item.member)):
            roles.setdefault(grant.role, []).append(grant.member)
        plain = [{"role": role, "members": members} for role, members in roles.items() if members]
        conditional = [binding for binding in self.bindings if binding.get("condition")]
        return replace(self, bindings=(*plain, *conditional))
