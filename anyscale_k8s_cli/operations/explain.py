"""Explain: why objects exist, who uses them, and what breaks without them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.install import MARK_PREFIX, Install
from anyscale_k8s_cli.ledger import UNTOLD, installs_in
from anyscale_k8s_cli.operations.behind import look_behind
from anyscale_k8s_cli.operations.clouds import opened
from anyscale_k8s_cli.operations.drift import Drift
from anyscale_k8s_cli.operations.purposes import meant, of_platform
from anyscale_k8s_cli.operations.requests import ExplainRequest
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.operations.workbench import OpenCluster
from anyscale_k8s_cli.plan import Plan, PlannedChange
from anyscale_k8s_cli.provider_registry import load
from anyscale_k8s_cli.purpose import Fate, Purpose, purpose_of
from anyscale_k8s_cli.resource import Change, Observed, Ownership, SharedResource
from anyscale_k8s_cli.run import Run

EXPLAIN_SCHEMA = "anyscale-k8s/explain/v1"
_AS_IT_IS = (Change.NONE, Change.ADOPT, Change.KEEP)
_USER = f"{MARK_PREFIX}/user-"
# Of a provider that declares nothing.
_UNTOLD = Purpose("", "", "", "", "")


@dataclass(frozen=True)
class Explanation:
    """What is told of each object; `cloud` is None where none was looked at."""

    provider: str
    cloud: str | None
    objects: tuple[Mapping[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": EXPLAIN_SCHEMA,
            "provider": self.provider,
            "cloud": self.cloud,
            "objects": [dict(item) for item in self.objects],
        }


def offline(platform: str, key: str | None, run: Run) -> Explanation:
    """What there can be on a platform, or the one that a key is of. Asks nobody.

    Raises `provider-unavailable`, and what `meant` raises.
    """
    provider = load(platform, run)
    known = of_platform(provider)
    chosen: Sequence[Purpose] = known
    if key:
        # A key of an object that is somewhere, else what somebody has of one.
        found = purpose_of(key, known)
        by_key = {item.key: item for item in known}
        chosen = [found or by_key[meant(key, list(by_key))]]
    return Explanation(provider.name, None, tuple(_declared(item, item.fate) for item in chosen))


async def live(request: ExplainRequest, run: Run) -> Explanation:
    """The same of the objects of a cloud that is there. Performs reads only.

    Raises `cloud-not-found` where it is not known how it was set up, what finding the
    cloud raises, and what `meant` raises.
    """

    def look() -> Explanation:
        with opened(request, run) as clouds:
            with run.phase("discover", "Looking for the cloud and its cluster"):
                behind = look_behind(request, clouds, run)
            wiring = behind.wiring
            if wiring is None:
                raise _unknown(behind.cloud.name, behind.why_unseen)
            with run.phase("explain", "Looking at what belongs to it"):
                kubernetes = wiring.kubernetes
                nodes = tuple(kubernetes.list("v1", "Node"))
                cluster = OpenCluster(wiring.cluster, kubernetes, kubernetes.uid(), nodes)
                plan = Drift(request, wiring, cluster, clouds, behind.cloud.id, run).plan()
                if plan is None:
                    raise _unknown(behind.cloud.name, UNTOLD)
                # Elsewhere a cloud is what a lone word means: then all that it has is meant.
                key = None if request.key == behind.cloud.name else request.key
                told = _Teller(wiring, plan).told(key)
        return Explanation(wiring.provider.name, behind.cloud.name, told)

    return await asyncio.to_thread(look)


def _unknown(cloud: str, cause: str) -> errors.CliError:
    return errors.CliError(
        errors.CLOUD_NOT_FOUND,
        f"What belongs to {cloud} is not known",
        cause=cause,
        fix="name its platform instead of the cloud, with --provider",
    )


class _Teller:
    """Tells of what a plan has seen."""

    def __init__(self, wiring: Wiring, plan: Plan) -> None:
        self._wiring = wiring
        self._items = {item.resource.key: item for item in plan.changes}
        self._purposes = of_platform(wiring.provider)

    def told(self, asked: str | None) -> tuple[Mapping[str, Any], ...]:
        if asked is None:
            return tuple(self._of(item, ()) for item in self._items.values())
        item = self._items[meant(asked, list(self._items))]
        return (self._of(item, self._others(item)),)

    def _of(self, item: PlannedChange, others: Sequence[str]) -> dict[str, Any]:
        resource, observed = item.resource, item.observed
        ownership = self._ownership(item)
        purpose = purpose_of(resource.key, self._purposes) or _UNTOLD
        drifted = item.change not in _AS_IT_IS and observed is not None
        return {
            **_declared(purpose, _fate(purpose, ownership)),
            "key": resource.key,
            "kind": resource.kind,
            "title": resource.title,
            "state": _state(observed),
            "id": observed.id if observed else None,
            "ownership": ownership.value,
            "owner": self._owner(observed, ownership),
            "users": [*self._marked(observed), *others],
            "needs": [need.key for need in resource.needs if need.key in self._items],
            "needed_by": [
                other.resource.key
                for other in self._items.values()
                if resource in other.resource.needs
            ],
            "drift": item.decision.reason if drifted else None,
        }

    def _ownership(self, item: PlannedChange) -> Ownership:
        """The ledger's word first: a cloud that is named by its id looks like the user's own."""
        entry = self._wiring.ledger.entries.get(item.resource.key)
        return Ownership(entry.ownership) if entry else item.decision.ownership

    def _owner(self, observed: Observed[Any] | None, ownership: Ownership) -> str | None:
        if observed is None:
            return None
        if observed.manager:
            return observed.manager
        if observed.owner is not None:
            return _called(observed.owner)
        return _called(self._wiring.install) if ownership is Ownership.OURS else None

    def _marked(self, observed: Observed[Any] | None) -> list[str]:
        """The installs that have left a mark, by the names of their clouds where they are known."""
        if observed is None or not observed.marks:
            return []
        here = installs_in(self._wiring.kubernetes)
        ids = sorted(mark.removeprefix(_USER) for mark in observed.marks)
        return [_called(here[id]) if id in here else f"install {id}" for id in ids]

    @staticmethod
    def _others(item: PlannedChange) -> Sequence[str]:
        """Who else uses what is shared."""
        if item.observed is None or not isinstance(item.resource, SharedResource):
            return ()
        return item.resource.others(item.observed).names


def _declared(purpose: Purpose, fate: Fate) -> dict[str, Any]:
    return {
        "key": purpose.key,
        "kind": purpose.kind,
        "title": purpose.title,
        "why": purpose.why,
        "without": purpose.without,
        "deletion": {"fate": fate.value, "text": fate.told},
    }


def _fate(purpose: Purpose, ownership: Ownership) -> Fate:
    if ownership in (Ownership.ADOPTED, Ownership.FOREIGN):
        return Fate.UNTOUCHED
    return Fate.SHARED if ownership is Ownership.SHARED else purpose.fate


def _state(observed: Observed[Any] | None) -> str:
    if observed is None:
        return "missing"
    return "there" if observed.settled else "not ready"


def _called(install: Install) -> str:
    return f"cloud {install.cloud} (install {install.id})"
