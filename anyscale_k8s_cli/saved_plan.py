"""A plan in a file: what somebody looked at, and the most that setup may do by it.

It holds the whole spec, what the plan was computed against, and of each change what
it would write. Values that may be secret are there as hashes, or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyscale_k8s_cli import errors, tool_version
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.plan import Plan, PlannedChange
from anyscale_k8s_cli.resource import (
    WRITES,
    Change,
    FieldChange,
    NotYetKnown,
    Ownership,
    Told,
)

SAVED_PLAN_SCHEMA = "anyscale-k8s/saved-plan/v1"


@dataclass(frozen=True)
class SavedChange:
    """What one change would write.

    `fields` are what an update changes, None where that is known after apply only.
    `wanted` is what the object is made with, by name, as far as it was known.
    """

    change: str
    reason: str
    fields: tuple[FieldChange, ...] | None
    wanted: Mapping[str, str]

    @classmethod
    def of(cls, item: PlannedChange) -> SavedChange:
        fields = tuple(
            FieldChange(field.field, _plain(field.old), _plain(field.new))
            for field in item.decision.fields
        )
        unknown = item.change is Change.UPDATE and not fields
        return cls(
            item.change.value, item.decision.reason, None if unknown else fields, _wanted(item)
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SavedChange:
        fields = document["fields"]
        return cls(
            document["change"],
            document["reason"],
            None if fields is None else tuple(FieldChange(**field) for field in fields),
            dict(document["wanted"]),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "change": self.change,
            "reason": self.reason,
            "fields": None if self.fields is None else [field.as_json() for field in self.fields],
            "wanted": dict(self.wanted),
        }

    def forbids(self, now: SavedChange) -> str:
        """Why a change is not covered by this one; empty when it is."""
        # After a crash in mid-apply a planned creation may have become an update
        # of the half-made object.
        completes = (self.change, now.change) == (Change.CREATE, Change.UPDATE)
        if self.change != now.change and not completes:
            return f"{now.change} is not in the plan, which has {self.change}"
        others = [
            name
            for name in self.wanted
            if now.wanted.get(name, self.wanted[name]) != self.wanted[name]
        ]
        if others:
            return f"{', '.join(others)}: other than in the plan"
        return "" if completes else self._other_fields(now)

    def _other_fields(self, now: SavedChange) -> str:
        if self.fields is None:
            return ""
        if now.fields is None:
            return "what it would be changed to is not known any more"
        planned = {field.field: field for field in self.fields}
        for field in now.fields:
            if field.field not in planned:
                return f"{field} is not in the plan"
            # What it is changed from counts too: nobody has looked at that being lost.
            if planned[field.field] != field:
                return f"{field} is not in the plan, which has {planned[field.field]}"
        return ""


@dataclass(frozen=True)
class SavedPlan:
    """What was computed, against what, by which version of this tool.

    `control_plane` is the address of Anyscale.
    """

    install: Install
    control_plane: str
    spec: Mapping[str, Any]
    changes: Mapping[str, SavedChange]
    version: str

    @classmethod
    def of(
        cls, plan: Plan, install: Install, control_plane: str, spec: Mapping[str, Any]
    ) -> SavedPlan:
        changes = {item.resource.key: SavedChange.of(item) for item in plan.writes}
        return cls(install, control_plane, spec, changes, tool_version())

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": SAVED_PLAN_SCHEMA,
            "tool_version": self.version,
            "control_plane": self.control_plane,
            "install": self.install.locator(),
            "spec": self.spec,
            "changes": {key: change.as_json() for key, change in self.changes.items()},
        }

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        """Raises `file-not-ours` when something else than a plan of this install is there."""
        if not overwrite:
            self._check_writable(path)
        # For its user alone: the spec may hold Helm values of theirs.
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(json.dumps(self.as_json(), indent=2) + "\n", encoding="utf-8")

    def _check_writable(self, path: Path) -> None:
        if not path.exists():
            return
        cause = "it holds something else than a saved plan"
        try:
            found = SavedPlan.read(path)
        except errors.CliError:
            pass
        else:
            if found.install.id == self.install.id:
                return
            cause = f"it is a plan of cloud {found.install.cloud!r} on {found.install.cluster}"
        raise errors.CliError(
            errors.FILE_NOT_OURS,
            f"{path} is not written over",
            cause=cause,
            fix="name another file with --out, or add --overwrite",
        )

    @classmethod
    def read(cls, path: Path) -> SavedPlan:
        """Raises `invalid-spec` when the file holds no plan of ours."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            install = Install.from_locator(document["install"])
            if document["schema"] != SAVED_PLAN_SCHEMA:
                raise ValueError(f"its schema is {document['schema']!r}, not {SAVED_PLAN_SCHEMA!r}")
            if install is None:
                raise ValueError(
                    "its 'install' is not as it was written: its parts and its id do not fit"
                )
            changes = {
                key: SavedChange.from_json(change) for key, change in document["changes"].items()
            }
            return cls(
                install,
                document["control_plane"],
                document["spec"],
                changes,
                document["tool_version"],
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            missing = f"it has no {problem}" if isinstance(problem, KeyError) else str(problem)
            raise errors.CliError(
                errors.INVALID_SPEC,
                f"{path} is not a saved plan",
                cause=missing,
                fix="make one with `anyscale cloud plan --out FILE`",
            ) from problem

    def check_covers(self, plan: Plan, install: Install, control_plane: str, again: str) -> None:
        """Raise `plan-stale` unless every change is in the saved plan; fewer are fine.

        `again` is the command that makes another one in its place.
        """
        raise_stale(
            self.unlike(plan, install, control_plane),
            "The saved plan no longer fits the world",
            f"{again}\nlook at it, then run the same command again",
        )

    def meanwhile(self, plan: Plan) -> Iterator[str]:
        """What this one was to make and is there by now, for people: whose it is, and which."""
        there = [
            item
            for item in plan.changes
            if item.change not in WRITES
            and (saved := self.changes.get(item.resource.key)) is not None
            and saved.change == Change.CREATE
        ]
        of_others = (Ownership.ADOPTED, Ownership.FOREIGN)
        yield from _there_by_now(
            (item for item in there if item.decision.ownership not in of_others),
            "made since the plan was saved, and as they should be",
        )
        yield from _there_by_now(
            (item for item in there if item.decision.ownership in of_others),
            "made by somebody else since the plan was saved, and used as they are",
        )

    def unlike(self, plan: Plan, install: Install, control_plane: str) -> list[str]:
        """What of a plan made now is not in this one."""
        differences = []
        if self.version != tool_version():
            differences.append(f"made by version {self.version}, this is {tool_version()}")
        if control_plane != self.control_plane:
            differences.append(f"made for Anyscale at {self.control_plane}, not {control_plane}")
        if install.id != self.install.id:
            differences.append("account, cluster, namespace or cloud are others")
        elif install.cluster_uid != self.install.cluster_uid:
            differences.append("the cluster's UID is another")
        for item in plan.writes:
            key, saved = item.resource.key, self.changes.get(item.resource.key)
            if saved is None:
                differences.append(f"{key}: {item.change.value} is not in the plan")
            elif why := saved.forbids(SavedChange.of(item)):
                differences.append(f"{key}: {why}")
        return differences


def raise_stale(differences: Sequence[str], message: str, fix: str) -> None:
    """Raise `plan-stale` where a plan has become another one."""
    if differences:
        raise errors.CliError(
            errors.PLAN_STALE,
            message,
            cause=differences[0],
            evidence=tuple(differences[1:]),
            fix=fix,
        )


def _there_by_now(items: Iterable[PlannedChange], how: str) -> Iterator[str]:
    named = ", ".join(f"{item.resource.title} ({item.resource.key})" for item in items)
    if named:
        yield f"{how}: {named}"


def _wanted(item: PlannedChange) -> Mapping[str, str]:
    if not isinstance(item.resource, Told):
        return {}
    try:
        return item.resource.told()
    except NotYetKnown:
        return {}


def _plain(value: Any) -> Any:
    """The value as JSON gives it back."""
    return json.loads(json.dumps(value, default=str))
