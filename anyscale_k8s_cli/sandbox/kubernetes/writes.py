"""How a write or a deletion is to be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.server_side_apply import Writer
from anyscale_k8s_cli.sandbox.kubernetes.users import User


@dataclass(frozen=True, slots=True)
class Write:
    """How a write is to be done, and by whom.

    `user` is None for the stand-in's own controllers. `validation` is the API's
    fieldValidation: Strict, Warn or Ignore; warnings are collected in `warnings`.
    `with_status` keeps the status of a new object, which the API drops: for objects
    that a sandbox is seeded with.
    """

    manager: str = "stand-in"
    user: User | None = None
    subresource: str = ""
    dry_run: bool = False
    validation: str = "Ignore"
    force: bool = False
    with_status: bool = False
    warnings: list[str] = field(default_factory=list)

    def by(self, resource: Resource) -> Writer:
        return Writer(self.manager, resource.api_version, self.subresource)


@dataclass(frozen=True, slots=True)
class Deletion:
    """DeleteOptions. `propagation` is Background, Foreground or Orphan."""

    propagation: str = "Background"
    grace_period: int | None = None
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


INTERNAL = Write()
PLAIN = Deletion()

# Called for a new object (old is None) or a changed one, before validation; may change it
# in place or raise an ApiError.
Admission = Callable[[Resource, Object, "Object | None", Write], None]
