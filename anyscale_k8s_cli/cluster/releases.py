"""A Helm release that belongs to one install."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.diagnosis import Diagnosis
from anyscale_k8s_cli.cluster.dry_runs import Trial
from anyscale_k8s_cli.cluster.objects import INSTALL_LABEL, KubernetesObject
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord
from anyscale_k8s_cli.cluster.release_trials import release_trials
from anyscale_k8s_cli.cluster.release_work import Found, HelmTools, Release, ReleaseWork
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parts import PartChange
from anyscale_k8s_cli.resource import OTHER_NAMESPACE, Claim, FieldChange, Observed, Resource


class HelmRelease(Resource[ReleaseRecord]):
    """Ours by a label on Helm's own record.

    `takes_over` is an object of ours that becomes a part of the release.
    `before_write` is run before the release is installed or upgraded, `before_wait`
    before its workloads are waited for.
    `before_delete` is run before the release is removed: it waits for what the
    release's program must clear away itself. `after_delete` removes the rest.
    """

    kind: ClassVar[str] = "helm:release"
    way_around: ClassVar[str] = OTHER_NAMESPACE

    def __init__(
        self,
        tools: HelmTools,
        release: Release,
        install: Install,
        *,
        title: str = "",
        needs: Sequence[Resource[Any]] = (),
        takes_over: KubernetesObject | None = None,
        explain: Callable[[str, Diagnosis | None], errors.CliError] | None = None,
        before_write: Callable[[], None] | None = None,
        before_wait: Callable[[], None] | None = None,
        before_delete: Callable[[], None] | None = None,
        after_delete: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(
            key=release_key(release),
            title=title or f"Helm release {release}",
            install=install,
            needs=needs if takes_over is None else (*needs, takes_over),
            claim=Claim.OWN,
        )
        self.release = release
        self._tools = tools
        self._work = ReleaseWork(
            tools, release, install, explain, takes_over.create if takes_over else None
        )
        self._before_write = before_write
        self._before_wait = before_wait
        self._before_delete = before_delete
        self._after_delete = after_delete

    def told(self) -> Mapping[str, str]:
        return self.release.told()

    def read(self) -> Observed[ReleaseRecord] | None:
        found = self._work.look()
        return None if found is None else self._observed(found)

    def diff(self, observed: Observed[ReleaseRecord]) -> Sequence[FieldChange]:
        return self._work.changes(_found(observed))

    def parts(self, observed: Observed[ReleaseRecord]) -> Sequence[PartChange]:
        return self._work.part_changes(_found(observed))

    def written(self, observed: Observed[ReleaseRecord] | None) -> Iterable[Trial]:
        found = _found(observed) if observed else None
        return release_trials(self._tools, self.release, self._work.chart(found), found)

    def create(self) -> Observed[ReleaseRecord]:
        found = self._work.look()
        if found is not None and self._observed(found).owner is None:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"A Helm release {self.release} appeared meanwhile and is not ours",
                fix="run the same command again and look at the plan",
            )
        return self._install(found)

    def update(
        self, observed: Observed[ReleaseRecord], changes: Sequence[FieldChange]
    ) -> Observed[ReleaseRecord]:
        del changes  # an upgrade writes everything
        return self._install(_found(observed))

    def delete(self, observed: Observed[ReleaseRecord]) -> None:
        if self._before_delete is not None:
            self._before_delete()
        self._work.uninstall(_found(observed))
        if self._after_delete is not None:
            self._after_delete()

    def ready(self, observed: Observed[ReleaseRecord]) -> Observed[ReleaseRecord]:
        if self._before_wait is not None:
            self._before_wait()
        self._work.wait(_found(observed))
        return replace(observed, settled=True)

    def _install(self, found: Found | None) -> Observed[ReleaseRecord]:
        if self._before_write is not None:
            self._before_write()
        return self._observed(self._work.install(found))

    def _observed(self, found: Found) -> Observed[ReleaseRecord]:
        record = found.record
        label = record.labels.get(INSTALL_LABEL, "")
        return Observed(
            id=record.id,
            output=record,
            owner=self.install if label == self.install.id else None,
            manager=f"install {label}" if label and label != self.install.id else found.manager,
            settled=found.settled,
            state=found,
        )


def release_key(release: Release) -> str:
    """`helm:release/ray/anyscale-operator`."""
    return f"helm:release/{release.namespace}/{release.name}"


def _found(observed: Observed[ReleaseRecord]) -> Found:
    found = observed.state
    assert isinstance(found, Found), "only this module makes these"  # noqa: S101
    return found
