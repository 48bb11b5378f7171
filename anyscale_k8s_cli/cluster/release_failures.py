"""What the cluster tells of a release that helm could not bring up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster import rollouts
from anyscale_k8s_cli.cluster.diagnosis import Diagnosis, diagnose_workload
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.release_records import ManifestObject, ReleaseRecord, newest
from anyscale_k8s_cli.run import StillWaiting

Explain = Callable[[str, Diagnosis | None], errors.CliError]


class ReleaseFailures:
    """Failures of one release; `explain` makes the error of a workload that is not up."""

    def __init__(
        self,
        kubernetes: Kubernetes,
        namespace: str,
        name: str,
        explain: Explain | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kubernetes = kubernetes
        self._namespace, self._name = namespace, name
        self._clock, self._begun = clock, clock()
        self._explain = explain or self._late

    def begin(self) -> None:
        """From now on it is waited for: how long is told by the clock, not by what was allowed."""
        self._begun = self._clock()

    def not_up(self, reference: Reference, seen: str) -> errors.CliError:
        """The error of a workload that did not come up; `seen` is how far it got."""
        diagnosis = diagnose_workload(self._kubernetes, reference)
        return self._explain(f"{reference}: {seen}", diagnosis)

    def of_helm(self, problem: errors.CliError, *, waited: bool) -> errors.CliError:
        """What helm failed over: a hook, or a workload where it `waited` for those.

        All else helm knows best.
        """
        if problem.code not in (errors.TIMED_OUT, errors.HELM_FAILED):
            return problem
        try:
            record = newest(self._kubernetes, self._namespace, self._name)
            if record is None:
                return problem
            for item, _ in self._of(record.hook_objects):
                diagnosis = diagnose_workload(self._kubernetes, item)
                if diagnosis is not None:
                    return _with(problem, diagnosis)
            if waited and problem.code is errors.TIMED_OUT:
                for item, seen in self._of(record.objects):
                    return self.not_up(item, seen)
        except errors.CliError:
            # It is helm's failure that is told of, with or without a closer look.
            return problem
        return problem

    def awaited(self, *, waited: bool) -> tuple[str, errors.CliError | None]:
        """What pods lack that helm waits for, and the error where it will not come."""
        waiting, problem = "", None
        try:
            record = newest(self._kubernetes, self._namespace, self._name)
            items = () if record is None else record.hook_objects
            if record is not None and waited:
                items += record.objects
            for item, seen in self._of(items):
                diagnosis = diagnose_workload(self._kubernetes, item)
                if diagnosis is None:
                    continue
                waiting = waiting or diagnosis.waiting
                if diagnosis.refused:
                    problem = self._explain(f"{item}: {seen}", diagnosis)
                    break
        except errors.CliError:
            # Who cannot look waits as long as helm does.
            return "", None
        return waiting, problem

    def _of(self, items: Iterable[ManifestObject]) -> Iterator[tuple[Reference, str]]:
        return unready(self._kubernetes, (item.reference for item in items))

    def _late(self, seen: str, diagnosis: Diagnosis | None) -> errors.CliError:
        refused = diagnosis.lacks if diagnosis else ""
        waited = self._clock() - self._begun
        return errors.CliError(
            errors.CLUSTER_FAILED if refused else errors.TIMED_OUT,
            f"{self._namespace}/{self._name} does not come up: a pod {refused}"
            if refused
            else f"{self._namespace}/{self._name} did not come up in {waited:.0f} s",
            cause=diagnosis.told if diagnosis else seen,
            evidence=diagnosis.evidence if diagnosis else (),
            fix=(diagnosis.mend if diagnosis else "")
            or "mend what the evidence says and run the same command again",
        )


def unready(
    kubernetes: Kubernetes, references: Iterable[Reference]
) -> Iterator[tuple[Reference, str]]:
    """The workloads among them that are there and not up, with what they wait for."""
    for item in references:
        reference = kubernetes.placed(item)
        if reference.kind not in rollouts.watched_kinds():
            continue
        live = kubernetes.get(
            reference.api_version, reference.kind, reference.name, reference.namespace
        )
        try:
            if live is not None:
                rollouts.rolled_out(live)
        except StillWaiting as waiting:
            yield reference, str(waiting)


def taken_back(
    problem: errors.CliError, what: str, former: ReleaseRecord, version: str
) -> errors.CliError:
    """The error of an upgrade that failed, once the release is again what it was before."""
    return errors.CliError(
        errors.UPGRADE_TAKEN_BACK,
        f"The upgrade of {what} from chart {former.chart_version} to {version} failed and was "
        "taken back",
        cause=problem.cause or problem.message,
        evidence=(
            f"chart {former.chart_version} runs again, with the values of revision "
            f"{former.revision}; the other objects are as the plan or the report has them",
            problem.message,
            *problem.evidence,
        ),
        fix="mend what the evidence tells and run the same command again; without --upgrade the "
        "versions that are installed stay",
    )


def left_failed(
    problem: errors.CliError, former: ReleaseRecord, why: errors.CliError, command: str
) -> errors.CliError:
    """The error of an upgrade that failed and could not be taken back either."""
    return errors.CliError(
        problem.code,
        problem.message,
        cause=problem.cause,
        evidence=(
            f"going back to revision {former.revision} (chart {former.chart_version}) failed "
            f"as well: {why}",
            *problem.evidence,
            *why.evidence,
        ),
        fix=f"run the same command without --upgrade, which goes back to chart "
        f"{former.chart_version}, or: {command}",
        details=problem.details,
    )


def _with(problem: errors.CliError, diagnosis: Diagnosis) -> errors.CliError:
    return errors.CliError(
        problem.code,
        problem.message,
        cause=diagnosis.told,
        evidence=(*diagnosis.evidence, *problem.evidence),
        fix=diagnosis.mend or problem.fix,
        details=problem.details,
    )
