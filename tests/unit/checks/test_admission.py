"""Verdicts on trials, whatever cluster they were made in."""

from __future__ import annotations

from typing import Any, cast

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.rehearsal import Rehearsal
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.checks.admission import admission, charts, limits
from anyscale_k8s_cli.cluster.dry_runs import Outcome, Trial
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes

NOBODY = cast(Kubernetes, None)
MISSING = errors.CliError(
    errors.CHART_UNAVAILABLE, "The chart could not be fetched", fix="name a mirror"
)
BROKEN = errors.CliError(errors.INVALID_SPEC, "helm could not render it", fix="correct the values")


def trial(name: str) -> Trial:
    metadata: dict[str, Any] = {"name": name, "namespace": "ray"}
    return Trial({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


def test_a_chart_that_cannot_be_fetched_is_told_by_its_own_check() -> None:
    found = Rehearsal((), (("Gateway controller", MISSING),))
    finding = charts(found)
    assert finding.status is Status.FAIL
    assert finding.detail == "Gateway controller: The chart could not be fetched"
    assert finding.fix == "name a mirror"
    assert admission(NOBODY, found).status is Status.PASS


def test_what_could_not_be_put_together_is_a_warning() -> None:
    found = Rehearsal((), (("Anyscale operator", BROKEN),))
    finding = admission(NOBODY, found)
    assert charts(found).status is Status.PASS
    assert finding.status is Status.WARN
    assert finding.detail == "not tried: Anyscale operator: helm could not render it"
    assert finding.fix == "correct the values"


def test_what_was_not_tried_is_told_by_reason() -> None:
    reasons = ("no namespace", "no namespace", "no namespace", "no namespace", "no kind")
    outcomes = [Outcome(trial(str(n)), untried=reason) for n, reason in enumerate(reasons)]
    finding = admission(NOBODY, Rehearsal((Outcome(trial("tried"), answer={}), *outcomes)))
    assert finding.status is Status.PASS
    assert finding.detail == "1 of 6 objects tried; not the others: no namespace; no kind"
    assert finding.evidence == (
        "no namespace (ConfigMap 0 in ray, ConfigMap 1 in ray, ConfigMap 2 in ray and 1 more)",
        "no kind (ConfigMap 4 in ray)",
    )
    assert limits(NOBODY, Rehearsal(tuple(outcomes))).status is Status.PASS
