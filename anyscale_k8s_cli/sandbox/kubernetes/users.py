"""Callers, as authentication knows them and authorization judges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from anyscale_k8s_cli.sandbox.kubernetes.resources import Object


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated caller, as authorization sees it."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def as_info(self) -> Object:
        """The `UserInfo` of reviews."""
        info: Object = {"username": self.name, "groups": list(self.groups)}
        if self.uid:
            info["uid"] = self.uid
        if self.extra:
            info["extra"] = {key: list(values) for key, values in self.extra.items()}
        return info


SUPERUSERS = "system:masters"
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def authenticated(user: User) -> User:
    """The user with the group that every authenticated user is in."""
    if "system:authenticated" in user.groups:
        return user
    return User(user.name, (*user.groups, "system:authenticated"), user.uid, user.extra)
