"""What becomes of one object in a teardown: removed, kept and why."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.controlplane.models import CloudResource
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.resource import (
    Change,
    DataResource,
    Decision,
    Observed,
    Ownership,
    Resource,
    Rights,
    SharedResource,
    ownership,
)


@dataclass(frozen=True)
class Kept:
    """Something that stays on purpose, with the command that would remove it."""

    key: str
    kind: str
    title: str
    id: str | None
    ownership: str
    reason: str
    command: str | None = None

    @classmethod
    def of(cls, item: PlannedChange, where: str) -> Kept:
        """`where` are the options that lead to the install when nothing else of it is left."""
        resource, observed = item.resource, item.observed
        command = None
        if item.decision.ownership is Ownership.FOREIGN or observed is None:
            pass  # Somebody else's: nobody is told how to remove it.
        elif isinstance(resource, SharedResource):
            command = resource.removal_command(observed)
        elif isinstance(resource, DataResource):
            cloud, name = resource.install.cloud, _name(resource)
            command = f"anyscale cloud delete {cloud} {where} --delete-bucket {name}"
        return cls(
            key=resource.key,
            kind=resource.kind,
            title=resource.title,
            id=observed.id if observed else None,
            ownership=item.decision.ownership.value,
            reason=item.decision.reason,
            command=command,
        )

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


def decide_removal(
    resource: Resource[Any], observed: Observed[Any], rights: Rights, data_named: str | None
) -> Decision:
    """Only what is ours, and the last use of what is shared, is removed."""
    owned = ownership(resource, observed, rights)
    if owned in (Ownership.FOREIGN, Ownership.ADOPTED):
        whose = observed.manager or "not made by this tool"
        return Decision(Change.KEEP, owned, f"used as it was found: {whose}")
    if isinstance(resource, SharedResource):
        return _shared(resource, observed)
    if isinstance(resource, DataResource):
        return _data(resource, observed, owned, data_named)
    return Decision(Change.DELETE, owned, "made by this install")


def _shared(resource: SharedResource[Any], observed: Observed[Any]) -> Decision:
    others = sorted(observed.marks - {resource.install.mark})
    if others:
        names = ", ".join(mark.rpartition("user-")[2] for mark in others)
        return Decision(Change.KEEP, Ownership.SHARED, f"still used by install {names}")
    users = resource.others(observed)
    if users:
        return Decision(Change.KEEP, Ownership.SHARED, f"still used by {users}")
    return Decision(Change.DELETE, Ownership.SHARED, "made by this tool and no longer used")


def _name(resource: DataResource[Any]) -> str:
    return resource.key.partition("/")[2]


def _data(
    resource: DataResource[Any], observed: Observed[Any], owned: Ownership, named: str | None
) -> Decision:
    contents = resource.contents(observed)
    if named == _name(resource):
        return Decision(Change.DELETE, owned, f"named by --delete-bucket; {contents}")
    return Decision(Change.KEEP, owned, f"holds your data ({contents})")


def brought(resource: CloudResource, install: Install, ours: Collection[str]) -> list[Kept]:
    """Bucket and identity that a registration names and that are the user's own.

    Not so what is among `ours`, nor what has the install's id in its name: that
    was made by this tool, also when somebody has removed it since.
    """
    storage, kubernetes = resource.object_storage, resource.kubernetes_config
    named = {
        "bucket": storage.bucket_name if storage else None,
        "identity": kubernetes.anyscale_operator_iam_identity if kubernetes else None,
    }
    return [
        Kept(
            key=f"{kind}/{value}",
            kind=kind,
            title=f"your own {kind} {value}",
            id=value,
            ownership="adopted",
            reason="you brought it; it is never changed or deleted",
        )
        for kind, value in named.items()
        if value and value not in ours and install.id not in value
    ]
