"""The Resource contract: one small class per kind of object, and who owns it.

A resource reads the world, says how it differs from what should be, and
changes it. It never decides whether it may: :func:`decide` does, the same way
for all kinds.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.install import Install

Out = TypeVar("Out")


class Claim(StrEnum):
    """What we want of an object: make it ours, use it with others, or use what the user named.

    To drop it is to remove what an earlier setup has made and this one has no use for.
    """

    OWN = "own"
    SHARE = "share"
    ADOPT = "adopt"
    DROP = "drop"


class Ownership(StrEnum):
    """Whose an object is. Only `ours`, and the last use of `shared`, is ever deleted."""

    OURS = "ours"
    SHARED = "shared"
    ADOPTED = "adopted"
    FOREIGN = "foreign"


class Change(StrEnum):
    """What a plan wants done with an object."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    KEEP = "keep"
    NONE = "none"
    DELETE = "delete"
    REFUSE = "refuse"


_GONE = (
    "it does not exist any more, and an earlier setup had made it: what was in it (logs, "
    "artifacts) is lost unless it is restored; a new, empty one would be made under its name"
)
_NAMED_USERS = 3

WRITES = frozenset({Change.CREATE, Change.UPDATE, Change.DELETE})


class NotYetKnown(Exception):
    """An output was asked for that is known only after apply."""

    def __init__(self, resource: Resource[Any]) -> None:
        super().__init__(f"{resource.title} is known after apply")
        self.resource = resource


@dataclass(frozen=True)
class FieldChange:
    """One difference: what a field is and what it should be. Never holds secrets.

    `fixed` is said of what the platform lets nobody change: what a person can do instead.
    """

    field: str
    old: Any
    new: Any
    fixed: str = ""

    def __str__(self) -> str:
        old, new = _unlike_pairs(self.old, self.new)
        return f"{self.field}: {_written(old)} → {_written(new)}"

    def as_json(self) -> dict[str, Any]:
        return {"field": self.field, "old": self.old, "new": self.new}


def _written(value: Any) -> str:
    """A value as people write it in files: texts in quotes, all else as JSON, its keys sorted."""
    if value is None:
        return "absent"
    if isinstance(value, str):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    """What JSON does not know: sets as lists in order, all else as its text."""
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def _unlike_pairs(old: Any, new: Any) -> tuple[Any, Any]:
    """Of two lists of pairs in a text (`a=1,b=2`), such as tags in an annotation, what differs."""
    sides = [value.split(",") if isinstance(value, str) else [] for value in (old, new)]
    if not all(sides) or not all("=" in pair for side in sides for pair in side):
        return old, new
    before, after = sides
    return (
        ",".join(pair for pair in before if pair not in after),
        ",".join(pair for pair in after if pair not in before),
    )


@dataclass(frozen=True)
class Unfit:
    """Why an object that we may not change cannot be used as it is, and what its owner can do."""

    reason: str
    fix: str = ""


@dataclass(frozen=True)
class Observed(Generic[Out]):
    """What `read` found.

    `id` is the platform's own (ARN, UID, URL). `owner` is the locator found on
    it, `manager` another tool's mark (Argo CD, Flux, a Helm release that is not
    ours). `marks` are the user marks on a shared object; `made_by_us` says that
    a shared object carries our managed-by. `unmarked` says that it bears no mark
    of anybody, as one of ours does for a moment where marking is a second call.
    `settled` is False while it is there but not yet of use (no address, still
    creating). `state` is for the resource's own `diff` and `update`.
    """

    id: str
    output: Out
    owner: Install | None = None
    manager: str = ""
    marks: frozenset[str] = frozenset()
    made_by_us: bool = False
    unmarked: bool = False
    settled: bool = True
    unfit: tuple[Unfit, ...] = ()
    state: Any = None


# What leads past an object of somebody else's that cannot be brought.
OTHER_NAME = "run the same command with another name (--name NAME, or --name-prefix PREFIX)"
OTHER_NAMESPACE = "run the same command with another namespace (--namespace NAME)"
OR_BUCKET = f"{OTHER_NAME}, or name it with --bucket to use it as it is"
OR_IDENTITY = f"{OTHER_NAME}, or name it with --identity to use it as it is"


class Resource(ABC, Generic[Out]):
    """One object. No verb has a default.

    `key` is stable and human (`aws:s3-bucket/anyscale-prod-1f3a9c2e`), `title`
    what a person calls it, `needs` what must be there before. `goes_first` turns
    the order of deletion round: what needs this one is removed after it. `way_around`
    tells a person what can be done where the object is somebody else's.
    """

    kind: ClassVar[str]
    goes_first: ClassVar[bool] = False
    way_around: ClassVar[str] = OTHER_NAME

    def __init__(
        self,
        *,
        key: str,
        title: str,
        install: Install,
        needs: Sequence[Resource[Any]] = (),
        claim: Claim = Claim.OWN,
    ) -> None:
        self.key = key
        self.title = title
        self.install = install
        self.needs = tuple(needs)
        self.claim = claim
        self.observed: Observed[Out] | None = None

    @property
    def how_to_bring(self) -> str:
        """What helps a person whose own object is not there."""
        return "check the name, or leave the option out"

    @property
    def output(self) -> Out:
        """What others need of this object. Raises `NotYetKnown` until it exists."""
        if self.observed is None:
            raise NotYetKnown(self)
        return self.observed.output

    @abstractmethod
    def read(self) -> Observed[Out] | None:
        """Look; None only when the API itself says that there is no such object.

        May raise `NotYetKnown` when what identifies it is not known yet. Never writes.
        """

    @abstractmethod
    def diff(self, observed: Observed[Out]) -> Sequence[FieldChange]:
        """How it differs from what should be, in all that we manage and nothing else.

        May raise `NotYetKnown`. Never writes.
        """

    @abstractmethod
    def create(self) -> Observed[Out]:
        """Make it. Safe to repeat: already there and ours is success."""

    @abstractmethod
    def update(self, observed: Observed[Out], changes: Sequence[FieldChange]) -> Observed[Out]:
        """Write the differences."""

    @abstractmethod
    def delete(self, observed: Observed[Out]) -> None:
        """Remove it and return once the platform no longer has it. Already gone is success."""

    @abstractmethod
    def ready(self, observed: Observed[Out]) -> Observed[Out]:
        """Return once it is of use, with its final outputs; raises with the cause if not."""


@dataclass(frozen=True)
class Users:
    """Who uses a shared object, by kind and name; `look` is a command that shows them.

    It only ever reads: nobody is told how to remove what somebody uses.
    """

    names: tuple[str, ...] = ()
    look: str = ""

    def __bool__(self) -> bool:
        return bool(self.names)

    def __str__(self) -> str:
        more = len(self.names) - _NAMED_USERS
        rest = f" and {more} more" if more > 0 else ""
        return ", ".join(self.names[:_NAMED_USERS]) + rest


class SharedResource(Resource[Out]):
    """An object that can be there only once and serves several installs."""

    @abstractmethod
    def others(self, observed: Observed[Out]) -> Users:
        """Who else uses it, besides installs with marks."""

    @abstractmethod
    def unmark(self, observed: Observed[Out]) -> None:
        """Take our mark away and leave the object."""


class DataResource(Resource[Out]):
    """An object that holds the user's data: deleted only when the user names it.

    `deleted_later` is False where what opens it goes with the install: once it was kept,
    no later deletion finds it.
    """

    way_around: ClassVar[str] = OR_BUCKET
    deleted_later: ClassVar[bool] = True

    @abstractmethod
    def contents(self, observed: Observed[Out]) -> str:
        """What would be lost, for people (`1,204 objects, 3.1 GiB`)."""

    @abstractmethod
    def forget_cluster(self, observed: Observed[Out]) -> None:
        """Clear the cluster's UID on the object that is kept, so that it can serve again."""


class AdoptedResource(Resource[Out]):
    """The user's own: looked at, used, never written. What it lacks is in `Observed.unfit`."""

    def __init__(
        self,
        *,
        key: str,
        title: str,
        install: Install,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(key=key, title=title, install=install, needs=needs, claim=Claim.ADOPT)

    def diff(self, observed: Observed[Out]) -> Sequence[FieldChange]:
        return ()

    def create(self) -> Observed[Out]:
        raise self._never_written()

    def update(self, observed: Observed[Out], changes: Sequence[FieldChange]) -> Observed[Out]:
        raise self._never_written()

    def delete(self, observed: Observed[Out]) -> None:
        raise self._never_written()

    def ready(self, observed: Observed[Out]) -> Observed[Out]:
        return observed

    def _never_written(self) -> errors.CliError:
        return errors.CliError(
            errors.FOREIGN_OBJECT, f"{self.title} is yours and is never changed by this tool"
        )


def unmarked(install: Install) -> FieldChange:
    """The mark of an install is not on an object that it shares with others."""
    return FieldChange(f"mark of install {install.id}", "missing", "set")


def lacks_mark_alone(fields: Sequence[FieldChange], install: Install) -> bool:
    """Whether the object serves the install as it is, and only does not tell that it does."""
    marks = (unmarked(install).field, f"tag {install.mark}")
    return bool(fields) and all(change.field in marks for change in fields)


NO_TAGS: Mapping[str, str] = MappingProxyType({})
# What a load balancer of the platform's is made for.
GATEWAY_KIND = "k8s:gateway"
INGRESS_KIND = "helm:ingress"
LOAD_BALANCED = frozenset({GATEWAY_KIND, INGRESS_KIND})


@runtime_checkable
class Told(Protocol):
    """A resource that can tell beforehand what it is made with."""

    def told(self) -> Mapping[str, str]:
        """By name, whole contents as `fingerprint`. May raise `NotYetKnown`; never writes."""
        ...


def fingerprint(document: Any) -> str:
    """A hash that stands for contents, some of which may be secret."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()


def differences(
    what: str,
    found: Mapping[str, str],
    wanted: Mapping[str, str],
    dropped: Mapping[str, str] = NO_TAGS,
) -> list[FieldChange]:
    """The pairs that are missing or other than wanted, and the dropped ones that are still there.

    `dropped` are pairs that an earlier setup wrote and this one does not want; further
    ones are nobody's business.
    """
    return [
        FieldChange(f"{what} {key}", found.get(key), value)
        for key, value in wanted.items()
        if found.get(key) != value
    ] + [FieldChange(f"{what} {key}", value, None) for key, value in stale(found, wanted, dropped)]


def stale(
    found: Mapping[str, str], wanted: Mapping[str, str], dropped: Mapping[str, str]
) -> list[tuple[str, str]]:
    """The dropped pairs that are as they were written. Others with such a key are not ours."""
    return [
        (key, value)
        for key, value in dropped.items()
        if key not in wanted and found.get(key) == value
    ]


def with_pairs(
    found: Mapping[str, str], wanted: Mapping[str, str], dropped: Mapping[str, str]
) -> dict[str, str]:
    """What is there, without what was dropped and with what is wanted."""
    gone = dict(stale(found, wanted, dropped))
    return {**{key: value for key, value in found.items() if key not in gone}, **wanted}


@dataclass(frozen=True)
class Decision:
    """What is to be done with one object, and why. `lost`: data was in it, and it is gone.

    `awaits` is the key of the object that must be there before anything else can be said.
    """

    change: Change
    ownership: Ownership
    reason: str
    fields: tuple[FieldChange, ...] = ()
    fix: str = ""
    lost: bool = False
    awaits: str = ""


@dataclass(frozen=True)
class Rights:
    """What makes an object ours besides its locator: the ledger of a live install.

    `ledger_ids` are of what was made; `intended` are the keys of what was not there
    when a run began to make it, and of which nobody has heard since. `made` are the
    keys of what was made: it was there, and is missed where it is not.
    """

    ledger_ids: frozenset[str] = field(default_factory=frozenset)
    intended: frozenset[str] = field(default_factory=frozenset)
    made: frozenset[str] = field(default_factory=frozenset)


def ownership(resource: Resource[Any], observed: Observed[Any], rights: Rights) -> Ownership:
    """Whose the object is."""
    if resource.claim is Claim.ADOPT:
        return Ownership.ADOPTED
    if observed.manager:
        return Ownership.FOREIGN
    if resource.claim is Claim.SHARE:
        return Ownership.SHARED if observed.made_by_us else Ownership.FOREIGN
    ours = (
        (observed.owner is not None and observed.owner.id == resource.install.id)
        or observed.id in rights.ledger_ids
        or (observed.unmarked and resource.key in rights.intended)
    )
    return Ownership.OURS if ours else Ownership.FOREIGN


def decide(resource: Resource[Any], observed: Observed[Any] | None, rights: Rights) -> Decision:
    """What setup wants of an object. Pure but for what `diff` reads."""
    return (_dropped if resource.claim is Claim.DROP else _kept_up)(resource, observed, rights)


def _kept_up(resource: Resource[Any], observed: Observed[Any] | None, rights: Rights) -> Decision:
    if observed is None:
        return _absent(resource, rights)
    owned = ownership(resource, observed, rights)
    if owned is Ownership.ADOPTED or (owned is Ownership.FOREIGN and resource.claim is Claim.SHARE):
        return _used_as_it_is(observed, owned)
    if owned is Ownership.FOREIGN:
        whose = observed.manager or (
            f"install {observed.owner.id} of cloud {observed.owner.cloud!r}"
            if observed.owner
            else "someone else"
        )
        return Decision(
            Change.REFUSE,
            owned,
            f"it exists and belongs to {whose}",
            fix="\n".join(item.fix for item in observed.unfit if item.fix) or resource.way_around,
        )
    try:
        fields = tuple(resource.diff(observed))
    except NotYetKnown as unknown:
        return awaiting(unknown, Change.UPDATE, owned)
    if not fields:
        return Decision(Change.NONE, owned, "as it should be")
    return _unlike(fields, owned)


def _unlike(fields: tuple[FieldChange, ...], owned: Ownership) -> Decision:
    """What is ours and other than wanted is changed; refused if something of it is fixed."""
    fixed = [item for item in fields if item.fixed]
    if not fixed:
        return Decision(Change.UPDATE, owned, "; ".join(map(str, fields)), fields)
    reason = "; ".join(f"{item}, which nobody can change" for item in fixed)
    fix = "\n".join(item.fixed for item in fixed)
    return Decision(Change.REFUSE, owned, reason, fields, fix=fix)


def awaiting(unknown: NotYetKnown, change: Change, owned: Ownership) -> Decision:
    """What depends on an object that is still to be made."""
    reason = f"depends on {unknown.resource.title}, known after apply"
    return Decision(change, owned, reason, awaits=unknown.resource.key)


def _dropped(resource: Resource[Any], observed: Observed[Any] | None, rights: Rights) -> Decision:
    if observed is None:
        return Decision(Change.DELETE, Ownership.OURS, "it is gone already")
    owned = ownership(resource, observed, rights)
    if owned is Ownership.FOREIGN:
        whose = observed.manager or "somebody else"
        return Decision(Change.KEEP, owned, f"of no more use to this setup; it is {whose}'s by now")
    return Decision(Change.DELETE, owned, "an earlier setup made it, and this one does not use it")


def _absent(resource: Resource[Any], rights: Rights) -> Decision:
    if resource.claim is Claim.ADOPT:
        return Decision(
            Change.REFUSE,
            Ownership.ADOPTED,
            "it is yours to bring, and does not exist",
            fix=resource.how_to_bring,
        )
    if isinstance(resource, DataResource) and resource.key in rights.made:
        return Decision(Change.CREATE, Ownership.OURS, _GONE, lost=True)
    owned = Ownership.SHARED if resource.claim is Claim.SHARE else Ownership.OURS
    return Decision(Change.CREATE, owned, "does not exist")


def _used_as_it_is(observed: Observed[Any], owned: Ownership) -> Decision:
    if observed.unfit:
        return Decision(
            Change.REFUSE,
            owned,
            "; ".join(item.reason for item in observed.unfit),
            fix="\n".join(item.fix for item in observed.unfit if item.fix),
        )
    if owned is Ownership.ADOPTED:
        return Decision(Change.ADOPT, owned, "it is yours: used as it is, and never changed")
    whose = f" ({observed.manager})" if observed.manager else ""
    return Decision(Change.KEEP, owned, f"already there{whose} and used as it is")
