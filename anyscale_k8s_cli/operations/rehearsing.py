"""Everything that a plan writes in the cluster, tried before the first of it is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from anyscale_k8s_cli.addons.rehearsal import Rehearsal, Stage
from anyscale_k8s_cli.checks import BoundCheck, Finding, Report, Result, Status, declared
from anyscale_k8s_cli.checks.admission import checks_of
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.dry_runs import Attempts
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.ledger import LedgerContent, ledger_document
from anyscale_k8s_cli.lock import lease_document
from anyscale_k8s_cli.parallel import Once
from anyscale_k8s_cli.plan import Plan

_NO_RIGHTS = f"not tried: what may be written is not known ({declared.CLUSTER_RIGHTS.code})"


@dataclass(frozen=True)
class Trials:
    """What a plan writes in the cluster, tried once when it is first asked for.

    `perform` is None where a dry run would tell nothing but that one has no rights.
    """

    kubernetes: Kubernetes
    perform: Callable[[], Rehearsal] | None

    def checks(self) -> tuple[BoundCheck, ...]:
        if self.perform is not None:
            return checks_of(self.kubernetes, self.perform)
        unknown = Finding(Status.UNKNOWN, _NO_RIGHTS)
        return (declared.CLUSTER_ADMISSION.bind(lambda: unknown),)

    def in_namespace(self, namespace: str, waived: Collection[str]) -> Report:
        """What could not be tried before the namespace was there, now that it is."""
        if self.perform is None or set(codes()) <= set(waived):
            return Report()
        left = [
            item.trial
            for item in self.perform().outcomes
            if item.untried and item.trial.reference.namespace == namespace
        ]
        tried = Rehearsal(tuple(Attempts(self.kubernetes).outcomes(left)))
        asked = [
            bound for bound in checks_of(self.kubernetes, lambda: tried) if bound.code not in waived
        ]
        return Report(tuple(Result(bound.check, bound.run()) for bound in asked))


def trials_of(stage: Stage, computed: Plan, ledger: LedgerContent, first: Report) -> Trials | None:
    """None where nothing is to be written, or something is refused.

    `first` has the verdict on rights.
    """
    if computed.refusals or not computed.writes:
        return None
    verdicts = {result.check.code: result.finding.status for result in first.results}
    if verdicts.get(declared.CLUSTER_RIGHTS.code) is not Status.PASS:
        return Trials(stage.context.kubernetes, None)
    perform = Once(lambda: stage.rehearse(computed.changes, _of_the_run(stage, ledger)))
    return Trials(stage.context.kubernetes, perform)


def codes() -> Iterable[str]:
    return (check.code for check in declared.REHEARSED)


def _of_the_run(stage: Stage, ledger: LedgerContent) -> Sequence[Document]:
    """What a run writes of its own: the inventory and the lock, where they are not there yet."""
    if ledger.version:
        return ()
    install = stage.context.install
    return (ledger_document(LedgerContent(install, {})), lease_document(install.namespace))
