"""The card of a cloud: every feature with its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import BoundCheck, Report, problem_of
from anyscale_k8s_cli.checks.nodes import Machines, node_checks
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.operations.behind import Behind
from anyscale_k8s_cli.operations.console_access import console_checks
from anyscale_k8s_cli.operations.features import (
    CONSOLE_LOGS,
    CUSTOM_NETWORKING,
    FAULT_TOLERANCE,
    FEATURES,
    GPU,
    INTERNAL_NETWORKING,
    LOG_INGESTION,
    SERVICES,
    SHARED_STORAGE,
    SPOT,
    ZERO_DOWNTIME,
    Answer,
    Feature,
    FeatureLine,
    Findings,
    network,
    no,
    storage,
    unknown,
)
from anyscale_k8s_cli.operations.features import gpus as of_gpus
from anyscale_k8s_cli.operations.features.spot import spot
from anyscale_k8s_cli.operations.wires import Wiring


class Card:
    """What features stand on besides the wires, as checks; and what follows from their findings."""

    def __init__(self, behind: Behind, clouds: Clouds) -> None:
        self._behind = behind
        self._clouds = clouds
        # Whoever may not look into the cluster is told the rest.
        self._machines, self._denied = _look(behind.wiring)

    def checks(self) -> Iterator[BoundCheck]:
        behind, wiring = self._behind, self._behind.wiring
        if behind.resource is not None:
            yield from console_checks(behind, self._clouds)
        if wiring is not None and self._machines is not None:
            yield from wiring.entrance.of_certificates(ours=False)
            yield from node_checks(self._machines, wiring.again)

    def lines(self, report: Report) -> tuple[FeatureLine, ...]:
        """`report` is of the wires and of `checks`."""
        behind = self._behind
        findings = {result.check.code: result.finding for result in report.results}
        unfit = _not_usable(behind)
        if unfit is not None:
            return tuple(FeatureLine(feature, unfit) for feature in FEATURES)
        return tuple(self._judged(findings))

    def _judged(self, findings: Findings) -> Iterator[FeatureLine]:
        behind, wiring, machines = self._behind, self._behind.wiring, self._machines
        resource = behind.resource
        assert resource is not None, "a cloud without one is of no use"  # noqa: S101
        yield CONSOLE_LOGS.judged(findings, lambda: storage.console_logs(findings, resource))
        yield LOG_INGESTION.judged(findings, lambda: storage.log_ingestion(behind.cloud))
        if wiring is None or machines is None:
            unseen = self._unseen
            rest = [item for item in FEATURES if item not in (CONSOLE_LOGS, LOG_INGESTION)]
            yield from (FeatureLine(feature, unseen) for feature in rest)
            return
        services = SERVICES.judged(findings, lambda: network.services(wiring, findings))
        yield services
        judges: dict[Feature, Callable[[], Answer]] = {
            ZERO_DOWNTIME: lambda: network.zero_downtime(wiring, services.answer),
            FAULT_TOLERANCE: lambda: storage.fault_tolerance(wiring, behind.cloud.name),
            SHARED_STORAGE: lambda: storage.shared_storage(wiring),
            SPOT: lambda: spot(machines, wiring.provider, wiring.again),
            CUSTOM_NETWORKING: lambda: network.custom(wiring, machines),
            INTERNAL_NETWORKING: lambda: network.internal(wiring, findings),
        }
        for feature in FEATURES:
            if feature is GPU:
                yield from of_gpus.gpus(machines, findings, wiring.again)
            elif feature in judges:
                yield feature.judged(findings, judges[feature])

    @property
    def _unseen(self) -> Answer:
        """Why the cluster is not looked into, and what is to be done so that it can be."""
        behind, denied = self._behind, self._denied
        if denied is not None:
            return unknown(f"not looked at: {denied}", denied.fix)
        why = f"not looked at: {behind.why_unseen}"
        if behind.unseen is not None:
            return unknown(why, behind.unseen.command)
        return unknown(why, (behind.problem.fix if behind.problem else "") or behind.again)


def _look(wiring: Wiring | None) -> tuple[Machines | None, errors.CliError | None]:
    """The nodes of the cluster; None where there is none to look into, or why one may not."""
    found: list[Machines] = []
    problem = problem_of(lambda: found.append(_machines(wiring))) if wiring else None
    return next(iter(found), None), problem


def _machines(wiring: Wiring) -> Machines:
    kubernetes = wiring.kubernetes
    nodes = tuple(kubernetes.list("v1", "Node"))
    return Machines(
        kubernetes, wiring.cluster, nodes, wiring.install.namespace, wiring.values or {}
    )


def _not_usable(behind: Behind) -> Answer | None:
    """Why nothing works at all; None where something may."""
    cloud = behind.cloud
    if cloud.deleting:
        return no(f"the cloud is {cloud.state}", f"anyscale cloud delete {cloud.name}")
    if behind.resource is None:
        return no("no cluster of yours is registered in the cloud", behind.again)
    return None
