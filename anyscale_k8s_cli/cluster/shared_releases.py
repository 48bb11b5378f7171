"""A Helm release that can be there only once and serves several installs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.dry_runs import Trial
from anyscale_k8s_cli.cluster.objects import Surroundings
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord
from anyscale_k8s_cli.cluster.release_trials import release_trials
from anyscale_k8s_cli.cluster.release_work import (
    Found,
    HelmTools,
    Release,
    ReleaseWork,
    ours,
)
from anyscale_k8s_cli.cluster.releases import release_key
from anyscale_k8s_cli.cluster.uses import Used, Uses
from anyscale_k8s_cli.parts import PartChange
from anyscale_k8s_cli.resource import (
    Claim,
    FieldChange,
    Observed,
    Resource,
    SharedResource,
    Unfit,
    Users,
    unmarked,
)


@dataclass(frozen=True)
class Incumbent:
    """Something of the same kind that somebody else runs already."""

    id: str
    what: str
    unfit: tuple[Unfit, ...] = ()


@dataclass(frozen=True)
class SharedState:
    """What was read. `used` is None where the release is not ours."""

    found: Found | None
    used: Used | None


class SharedHelmRelease(SharedResource[ReleaseRecord | None]):
    """Installed by whoever needs it first, removed by whoever needs it last.

    `incumbent` looks for another one that does the same job already; it is used
    instead, and never a second one installed beside it. `in_use_by` names who
    else depends on it besides installs with marks.
    """

    kind: ClassVar[str] = "helm:release"

    def __init__(
        self,
        tools: HelmTools,
        release: Release,
        surroundings: Surroundings,
        *,
        title: str,
        needs: Sequence[Resource[Any]] = (),
        incumbent: Callable[[], Incumbent | None],
        in_use_by: Callable[[], Users],
    ) -> None:
        super().__init__(
            key=release_key(release),
            title=title,
            install=surroundings.install,
            needs=needs,
            claim=Claim.SHARE,
        )
        self.release = release
        self._tools = tools
        self._work = ReleaseWork(tools, release, surroundings.install)
        self._uses = Uses(
            surroundings, release.namespace, release.name, patience=release.seconds + 60
        )
        self._access = surroundings.kubernetes.access
        self._incumbent = incumbent
        self._in_use_by = in_use_by

    def told(self) -> Mapping[str, str]:
        return self.release.told()

    def serves_others(self, observed: Observed[ReleaseRecord | None]) -> bool:
        """Whether its values are not this install's to say: then its pods stay as they are."""
        return not observed.made_by_us or bool(observed.marks - {self.install.mark})

    def read(self) -> Observed[ReleaseRecord | None] | None:
        used, found = self._uses.look(), self._work.look()
        if found is not None and not ours(found):
            return self._foreign(found)
        if found is None:
            incumbent = self._incumbent()
            if incumbent is not None:
                return Observed(
                    id=incumbent.id,
                    output=None,
                    manager=incumbent.what,
                    unfit=incumbent.unfit,
                    state=SharedState(None, None),
                )
            if used is None:
                return None
        return self._observed(SharedState(found, used))

    def diff(self, observed: Observed[ReleaseRecord | None]) -> Sequence[FieldChange]:
        state = _state(observed)
        changes = []
        if self.install.mark not in observed.marks:
            changes.append(unmarked(self.install))
        if state.found is None:
            changes.append(FieldChange("status", "not installed", "deployed"))
        else:
            changes += self._upgrades(state)
        return changes

    def parts(self, observed: Observed[ReleaseRecord | None]) -> Sequence[PartChange]:
        state = _state(observed)
        if state.found is None or not self._upgrades(state):
            return ()
        with_values = not self._used_by_others(state)
        return self._work.part_changes(state.found, with_values=with_values)

    def written(self, observed: Observed[ReleaseRecord | None] | None) -> Iterable[Trial]:
        state = _state(observed) if observed else SharedState(None, None)
        if state.used is None:
            yield Trial(self._uses.fresh(), new=True)
        if state.found is None or self._upgrades(state):
            yield from self._written(state)

    def create(self) -> Observed[ReleaseRecord | None]:
        with self._uses.working():
            return self._bring_up()

    def update(
        self, observed: Observed[ReleaseRecord | None], changes: Sequence[FieldChange]
    ) -> Observed[ReleaseRecord | None]:
        del observed, changes  # read again: another install may have been at it
        return self.create()

    def delete(self, observed: Observed[ReleaseRecord | None]) -> None:
        found = _state(observed).found
        if found is not None:
            with self._uses.working():
                self._work.uninstall(found)
        self._uses.forget()

    def ready(self, observed: Observed[ReleaseRecord | None]) -> Observed[ReleaseRecord | None]:
        state = _state(observed)
        if state.found is None or not observed.made_by_us:
            return observed
        self._work.wait(state.found)
        return replace(observed, settled=True)

    def others(self, observed: Observed[ReleaseRecord | None]) -> Users:
        del observed
        return self._in_use_by()

    def unmark(self, observed: Observed[ReleaseRecord | None]) -> None:
        del observed
        self._uses.unmark()

    def _bring_up(self) -> Observed[ReleaseRecord | None]:
        """Under our claim: install or mend the release, then mark it."""
        state = SharedState(self._work.look(), self._uses.look())
        if state.found is not None and not ours(state.found):
            self._uses.forget()
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"A Helm release {self.release} appeared meanwhile and is not ours",
                fix="run the same command again and look at the plan",
            )
        found = state.found
        if found is None or self._upgrades(state):
            found = self._work.install(found, keep_values=self._used_by_others(state))
        self._uses.mark()
        return self._observed(SharedState(found, self._uses.look()))

    def _written(self, state: SharedState) -> Iterable[Trial]:
        release, found = self.release, state.found
        if found is not None and self._used_by_others(state):
            values = found.installed.values
            release = replace(release, values=lambda: values)
        return release_trials(self._tools, release, self._work.chart(found), found)

    def _upgrades(self, state: SharedState) -> list[FieldChange]:
        """What an upgrade would mend. Values are ours to say only while nobody else uses it."""
        assert state.found is not None, "asked of an installed release only"  # noqa: S101
        return self._work.changes(state.found, with_values=not self._used_by_others(state))

    def _used_by_others(self, state: SharedState) -> bool:
        return bool(state.used and state.used.marks - {self.install.mark})

    def _foreign(self, found: Found) -> Observed[ReleaseRecord | None]:
        incumbent = self._incumbent()
        words = f"uninstall {self.release.name} --namespace {self.release.namespace}"
        unfit: tuple[Unfit, ...]
        if incumbent is None:
            unfit = (
                Unfit(
                    f"a Helm release {self.release} is there ({found.record.status}), "
                    "but what it should run does not",
                    f"mend it, or remove it with: {self._access.helm(words)}",
                ),
            )
        else:
            unfit = incumbent.unfit
        return Observed(
            id=found.record.id,
            output=found.record,
            manager=found.manager or f"Helm release {self.release}",
            unfit=unfit,
            state=SharedState(found, None),
        )

    def _observed(self, state: SharedState) -> Observed[ReleaseRecord | None]:
        found, used = state.found, state.used
        return Observed(
            id=found.record.id if found else f"{self.release}@",
            output=found.record if found else None,
            marks=used.marks if used else frozenset(),
            made_by_us=True,
            settled=found is not None and found.settled,
            state=state,
        )


def _state(observed: Observed[ReleaseRecord | None]) -> SharedState:
    state = observed.state
    assert isinstance(state, SharedState), "only this module makes these"  # noqa: S101
    return state
