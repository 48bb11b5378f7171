"""A provider in front of a started stand-in, over HTTP, and the engine behind it.

The objects outside the cluster alone: planned, made, proven and removed as a
setup and a deletion do it, with no cluster and no control plane.
"""

from __future__ import annotations

import asyncio
import atexit
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

import pytest

from anyscale_k8s_cli import apply, plan
from anyscale_k8s_cli.abilities import TellsGrants, TellsProtection
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.events import Event
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Cluster, Provider, install_on
from anyscale_k8s_cli.resource import (
    NO_TAGS,
    Change,
    DataResource,
    Observed,
    Resource,
    Rights,
    SharedResource,
)
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.wire import Call, FaultKind, FaultRule, Wire
from anyscale_k8s_cli.spec import CloudSpec
from tests.issuer import WORKLOADS, Issuer

CONSOLE = "https://*.anyscale.com"
UID = "7f1d1f0e-31f5-4c5c-9a55-0c6c86a1f1aa"


class StandIn(Protocol):
    def snapshot(self) -> dict[str, Any]:
        """All objects, as plain data."""
        ...


S = TypeVar("S", bound=StandIn)
P = TypeVar("P", bound=Provider)


@cache
def loop() -> asyncio.AbstractEventLoop:
    """One for all worlds, since to make one takes longer than much of what is done in it."""
    made = asyncio.new_event_loop()
    atexit.register(made.close)
    return made


@dataclass(frozen=True)
class Anyscale:
    """What providers may know of the control plane."""

    cors_origin: str = CONSOLE
    audience: str = ""

    def azure_audience(self) -> str:
        assert self.audience, "nobody asks for this but on Azure"
        return self.audience


class Journal:
    """Remembers nothing and guards nothing: the ledger is tested elsewhere."""

    def guard(self) -> None: ...

    def done(self, resource: Resource[Any], observed: Observed[Any]) -> None: ...

    def removed(self, resource: Resource[Any]) -> None: ...


@dataclass
class World(Generic[S, P]):
    """Everything a test wants.

    `settings` are what the stand-in was begun with, `said` is what a good spec says.
    """

    stand_in: S
    settings: Any
    wire: Wire
    issuer: Issuer
    factory: Callable[[Run], P]
    said: Mapping[str, Any]
    anyscale: Anyscale = Anyscale()
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run = Run(listeners=(self.events.append,))
        self.provider = self.factory(self.run)

    def spec(self, **more: Any) -> CloudSpec:
        return CloudSpec.model_validate({**self.said, **more})

    def install(self, spec: CloudSpec, cluster: Cluster, uid: str = UID) -> Install:
        return install_on(cluster, spec, uid)

    def cloud_side(
        self, spec: CloudSpec | None = None, dropped_tags: Mapping[str, str] = NO_TAGS
    ) -> CloudSide:
        spec = spec or self.spec()
        self.provider.check_spec(spec)
        cluster = self.provider.discover(spec)
        install = self.install(spec, cluster)
        return self.provider.cloud_side(spec, cluster, install, self.anyscale, dropped_tags)

    def plan(self, side: CloudSide) -> plan.Plan:
        return loop().run_until_complete(plan.compute(side.resources, Rights(), self.run))

    def apply(self, side: CloudSide) -> apply.Applied:
        computed = self.plan(side)
        computed.raise_for_refusals()
        applied = loop().run_until_complete(apply.forwards(computed, self.run, Journal()))
        if applied.error:
            raise applied.error
        return applied

    def setup(self, spec: CloudSpec | None = None) -> CloudSide:
        side = self.cloud_side(spec)
        self.apply(side)
        return side

    def installed(self, spec: CloudSpec | None = None) -> tuple[CloudSide, Install]:
        """Set up, with what a teardown starts from."""
        spec = spec or self.spec()
        return self.setup(spec), self.install(spec, self.provider.discover(spec))

    def elsewhere(self) -> P:
        """The provider on another machine: it remembers nothing."""
        return self.factory(Run())

    def changes(self, spec: CloudSpec | None = None) -> dict[str, str]:
        """What a plan wants of each kind of object."""
        planned = self.plan(self.cloud_side(spec))
        return {item.resource.kind: item.change.value for item in planned.changes}

    def by_key(self, spec: CloudSpec | None = None) -> dict[str, str]:
        """What a plan wants of each object, where there are two of a kind."""
        planned = self.plan(self.cloud_side(spec))
        return {item.resource.key: item.change.value for item in planned.changes}

    def reasons(self, spec: CloudSpec | None = None) -> dict[str, str]:
        planned = self.plan(self.cloud_side(spec))
        return {item.resource.kind: item.decision.reason for item in planned.changes}

    def token(self, audience: str) -> str:
        """One of the operator's service account, as its pod would have it."""
        return self.issuer.token(audience=audience)

    def dropped(self, spec: CloudSpec, tags: Mapping[str, str]) -> dict[str, str]:
        """Setup without tags of an earlier one; why it changed each object, by kind."""
        side = self.cloud_side(spec, tags)
        reasons = {
            item.resource.kind: item.decision.reason
            for item in self.plan(side).changes
            if item.change is Change.UPDATE
        }
        self.apply(self.cloud_side(spec, tags))
        again = self.plan(self.cloud_side(spec, tags)).changes
        assert not [item.resource.key for item in again if item.change is Change.UPDATE]
        return reasons

    def reviewed(self, side: CloudSide) -> tuple[dict[str, str], dict[str, str]]:
        """The documents of what was set up, by name, and how its bucket keeps what is in it."""
        found, kept = {}, {}
        seen = (item for item in self.plan(side).changes if item.observed is not None)
        for item in seen:
            if isinstance(item.resource, TellsGrants):
                found |= {told.name: told.text for told in item.resource.grants(item.observed)}
            if isinstance(item.resource, TellsProtection):
                kept |= item.resource.protection(item.observed)
        return found, kept

    def prove(self, side: CloudSide, token: Callable[[str], str] | None = None) -> list[str]:
        assert side.prove_identity is not None
        return list(side.prove_identity(token or self.token))

    def workloads_token(self, audience: str) -> str:
        """One of the service account of Ray's pods, where they have their own."""
        return self.issuer.token(WORKLOADS, audience=audience)

    def prove_workloads(
        self, side: CloudSide, token: Callable[[str], str] | None = None
    ) -> list[str]:
        assert side.workloads is not None
        assert side.workloads.prove is not None
        return list(side.workloads.prove(token or self.workloads_token))

    def refused_crosswise(self, side: CloudSide) -> list[CliError]:
        """What is said where each of the two accounts shows its token for the other's identity."""
        found = []
        for prove, token in (
            (self.prove_workloads, self.token),
            (self.prove, self.workloads_token),
        ):
            with pytest.raises(CliError) as refused:
                prove(side, token)
            found.append(refused.value)
        return found

    def snapshot(self) -> dict[str, Any]:
        return self.stand_in.snapshot()

    def calls(self, work: Callable[[], Any]) -> list[Call]:
        """The calls that the cloud received while `work` ran."""
        before = len(self.wire.calls())
        work()
        return self.wire.calls()[before:]

    def writes(self, work: Callable[[], Any]) -> list[Call]:
        return [call for call in self.calls(work) if call.operation.write]

    def fault(self, operation: str, kind: FaultKind = FaultKind.ERROR, **more: Any) -> None:
        self.wire.inject(FaultRule(kind, operation=operation, **more))

    def interrupted(
        self, work: Callable[[], object], writes: Iterable[Call], kind: FaultKind, status: int
    ) -> None:
        """Does the work until it ends well, which calls like each of these keep it from."""
        rules = [
            FaultRule(kind, operation=name, times=times, status=status, code="Injected")
            for name, times in Counter(call.operation.name for call in writes).items()
        ]
        for rule in rules:
            self.wire.inject(rule)
        for _ in range(sum(rule.times for rule in rules) + 1):
            with suppress(CliError):
                work()
                break
        assert rules
        assert [rule for rule in rules if not rule.fired] == []
        self.wire.clear_faults()


class KeptKeys:
    """The Secret that a cluster keeps of the keys, from one run to the next."""

    def __init__(self) -> None:
        self.keys: S3Keys | None = None

    def seen_by(self, side: CloudSide) -> CloudSide:
        assert side.storage_keys is not None
        side.storage_keys.kept = lambda: self.keys
        return side

    def setup(self, world: World[Any, Any], **more: Any) -> CloudSide:
        side = self.seen_by(world.cloud_side(world.spec(**more)))
        world.apply(side)
        assert side.storage_keys is not None
        self.keys = side.storage_keys.output
        return side

    def changes(self, world: World[Any, Any], **more: Any) -> dict[str, str]:
        side = self.seen_by(world.cloud_side(world.spec(**more)))
        return {item.resource.kind: item.change.value for item in world.plan(side).changes}


def remove(resources: Iterable[Resource[Any]], *, bucket: bool) -> None:
    """In the order of a teardown: who needs goes first. Each twice, since a run may be repeated."""
    for item in sorted(resources, key=lambda item: -len(item.needs)):
        observed = item.read()
        if observed is None or (isinstance(item, DataResource) and not bucket):
            continue
        if isinstance(item, SharedResource):
            item.unmark(observed)
            if not observed.made_by_us or item.others(observed):
                continue
        item.delete(observed)
        assert item.read() is None
        item.delete(observed)
