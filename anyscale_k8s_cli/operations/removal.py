"""What becomes of one object in a teardown: removed, kept and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.controlplane.models import CloudResource
from anyscale_k8s_cli.controlplane.proof import FILE_NAME as PROOF_OBJECT
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

_BROUGHT = {
    "bucket": "you brought it; of this tool there is one small object in it, by which setup proved "
    f"that the control plane reaches it ({PROOF_OBJECT})",
    "identity": "you brought it; it is never changed or deleted",
}
# The kind of a bucket that the user brought, among what is kept.
BROUGHT_BUCKET = "bucket"
# Azure registers an identity by a number that has no name in it.
_PRINCIPAL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Kept:
    """Something that stays on purpose.

    `command` removes it; None where another cloud or somebody else's things hang on it,
    or where it is somebody else's. `look` shows who uses it, and only reads.
    """

    key: str
    kind: str
    title: str
    id: str | None
    ownership: str
    reason: str
    command: str | None = None
    look: str | None = None

    @classmethod
    def of(cls, item: PlannedChange) -> Kept:
        resource, observed, decision = item.resource, item.observed, item.decision
        staying = decision if isinstance(decision, Staying) else None
        return cls(
            key=resource.key,
            kind=resource.kind,
            title=resource.title,
            id=observed.id if observed else None,
            ownership=decision.ownership.value,
            reason=decision.reason,
            command=staying.command if staying else None,
            look=staying.look if staying else None,
        )

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Staying(Decision):
    """To keep an object, with what a person can do about it."""

    command: str | None = None
    look: str | None = None


@dataclass(frozen=True)
class Judge:
    """What becomes of each object: only what is ours, and the last use of the shared, goes.

    `deletion` gives the command that deletes an install; `neighbours` are the other
    installs that are known in the cluster, by id; `data_named` is the bucket whose data
    goes too.
    """

    rights: Rights
    deletion: Callable[[Install], str]
    neighbours: Mapping[str, Install] = field(default_factory=dict)
    data_named: str | None = None

    def decide(self, resource: Resource[Any], observed: Observed[Any]) -> Decision:
        owned = ownership(resource, observed, self.rights)
        if owned in (Ownership.FOREIGN, Ownership.ADOPTED):
            whose = observed.manager or "not made by this tool"
            return Staying(Change.KEEP, owned, f"used as it was found: {whose}")
        if isinstance(resource, SharedResource):
            return self._shared(resource, observed)
        if isinstance(resource, DataResource):
            return self._data(resource, observed, owned)
        return Decision(Change.DELETE, owned, "made by this install")

    def _shared(self, resource: SharedResource[Any], observed: Observed[Any]) -> Decision:
        others = observed.marks - {resource.install.mark}
        if others:
            return self._used_by_installs(sorted(mark.rpartition("user-")[2] for mark in others))
        users = resource.others(observed)
        if users:
            reason = f"still used by {users}"
            return Staying(Change.KEEP, Ownership.SHARED, reason, look=users.look or None)
        return Decision(Change.DELETE, Ownership.SHARED, "made by this tool and no longer used")

    def _used_by_installs(self, ids: Sequence[str]) -> Staying:
        """It goes with the last of them; which clouds they are is not always known.

        No command: their deletion would take a living cloud with it.
        """
        names = [
            f"cloud {self.neighbours[id].cloud} (install {id})"
            if id in self.neighbours
            else f"install {id}"
            for id in ids
        ]
        reason = f"still used by {', '.join(names)}; it goes with the last that uses it"
        return Staying(Change.KEEP, Ownership.SHARED, reason)

    def _data(
        self, resource: DataResource[Any], observed: Observed[Any], owned: Ownership
    ) -> Decision:
        contents, name = resource.contents(observed), _name(resource)
        if self.data_named == name:
            return Decision(Change.DELETE, owned, f"named by --delete-bucket; {contents}")
        if not resource.deleted_later:
            last = f"only this deletion could delete it, with --delete-bucket {name}"
            return Staying(Change.KEEP, owned, f"stays with what is in it ({contents}); {last}")
        return Staying(
            Change.KEEP,
            owned,
            f"stays with what is in it ({contents})",
            command=f"{self.deletion(resource.install)} --delete-bucket {name}",
        )


def _name(resource: DataResource[Any]) -> str:
    return resource.key.partition("/")[2]


def brought(
    resource: CloudResource,
    install: Install,
    ours: Collection[str],
    said: Mapping[str, Any],
) -> list[Kept]:
    """Bucket and identity that a registration names and that are the user's own.

    What was said at setup tells which; what is among `ours` never is. Where nobody
    remembers what was said, the install's id in a name tells of this tool, also when
    somebody has removed the object since; a principal's id tells nothing.
    """

    def is_brought(kind: str, value: str) -> bool:
        if said:
            return bool(said.get(f"existing.{kind}"))
        return install.id not in value and not _PRINCIPAL.fullmatch(value)

    storage, kubernetes = resource.object_storage, resource.kubernetes_config
    named = {
        BROUGHT_BUCKET: storage.bucket_name if storage else None,
        "identity": kubernetes.anyscale_operator_iam_identity if kubernetes else None,
    }
    return [
        Kept(
            key=f"{kind}/{value}",
            kind=kind,
            title=f"your own {kind} {value}",
            id=value,
            ownership="adopted",
            reason=_BROUGHT[kind],
        )
        for kind, value in named.items()
        if value and value not in ours and is_brought(kind, value)
    ]
