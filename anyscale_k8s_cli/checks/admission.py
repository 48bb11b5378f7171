"""Checks of what was tried without being done: who forbids it, and whether there is room for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.rehearsal import Rehearsal
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared, passed, ranges
from anyscale_k8s_cli.checks.limits import WITHOUT_BALANCER, limits
from anyscale_k8s_cli.cluster.admission import Denial, way_on
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.dry_runs import Outcome
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.managers import MANAGED_BY_LABEL, manager_of
from anyscale_k8s_cli.cluster.transport import KubernetesError

_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_REGISTRATION = "admissionregistration.k8s.io/v1"
# Objects that one line names; all of them are in the evidence.
_TOLD = 3


def checks_of(kubernetes: Kubernetes, perform: Callable[[], Rehearsal]) -> tuple[BoundCheck, ...]:
    """`perform` gives the same rehearsal at each call."""
    return (
        declared.CHARTS_AVAILABLE.bind(lambda: charts(perform())),
        declared.NAMESPACE_LIMITS.bind(lambda: limits(kubernetes, perform())),
        declared.CLUSTER_ADMISSION.bind(lambda: admission(kubernetes, perform())),
    )


def charts(rehearsal: Rehearsal) -> Finding:
    """Whether everything that is to be installed could be fetched."""
    for title, problem in rehearsal.problems:
        if problem.code is errors.CHART_UNAVAILABLE:
            return Finding(Status.FAIL, f"{title}: {problem}", problem.evidence, problem.fix)
    return passed()


# -- rules -----------------------------------------------------------------------------


def admission(kubernetes: Kubernetes, rehearsal: Rehearsal) -> Finding:
    """Whether somebody's rule, but one of room, forbids an object that would be written."""
    forbidden = [
        (item, _named(kubernetes, item, item.denial))
        for item in rehearsal.denied
        if item.denial and not item.denial.of_room
    ]
    if forbidden:
        return _forbidden(kubernetes, forbidden)
    left = tuple(_untried(rehearsal))
    broken = [
        f"{title}: {problem}"
        for title, problem in rehearsal.problems
        if problem.code is not errors.CHART_UNAVAILABLE
    ]
    if broken:
        fix = rehearsal.problems[0][1].fix
        return Finding(Status.WARN, f"not tried: {'; '.join(broken)}", left, fix)
    total = len(rehearsal.outcomes)
    if not left:
        return Finding(Status.PASS, f"{total} objects tried")
    tried = sum(not item.untried for item in rehearsal.outcomes)
    reasons = dict.fromkeys(item.untried for item in rehearsal.outcomes if item.untried)
    told = f"{tried} of {total} objects tried; not the others: {'; '.join(reasons)}"
    return Finding(Status.PASS, told, left)


def _named(kubernetes: Kubernetes, item: Outcome, denial: Denial) -> Denial:
    """The range that has made a pod impossible, where the API server tells of the pod alone."""
    if denial.look or item.trial.reference.kind != "Pod":
        return denial
    namespace = item.trial.reference.namespace or ""
    return ranges.filled_in(kubernetes, namespace, denial.words) or denial


def _forbidden(kubernetes: Kubernetes, found: Sequence[tuple[Outcome, Denial]]) -> Finding:
    (first, denial), *_ = found
    more = f"; and {len(found) - 1} more" if len(found) > 1 else ""
    rules = {(item.by, item.look): item for _, item in found}
    fixes = [
        way_on(item, kubernetes.access.kubectl, owner=owner_of(kubernetes, item))
        for item in rules.values()
    ]
    if any(_is_balancer(item.trial.manifest) for item, _ in found):
        fixes.append(WITHOUT_BALANCER)
    return Finding(
        Status.FAIL,
        f"{first.trial.reference} is forbidden by {denial}{more}",
        tuple(f"{item.trial.reference}: {denial}" for item, denial in found),
        "\n".join(dict.fromkeys("\n".join(fixes).splitlines())),
    )


def _is_balancer(manifest: Document) -> bool:
    return (manifest["kind"], manifest.get("spec", {}).get("type")) == ("Service", "LoadBalancer")


def owner_of(kubernetes: Kubernetes, denial: Denial) -> str:
    """Who keeps the rule, as far as the object that holds it says so and may be seen."""
    try:
        if denial.rule is not None:
            at = denial.rule
            found = kubernetes.get(at.api_version, at.kind, at.name, at.namespace)
            return _kept_by(found) if found else ""
        for kind in _WEBHOOKS if denial.webhook else ():
            for item in kubernetes.list(_REGISTRATION, kind):
                hooks = item.get("webhooks") or ()
                hook = next((hook for hook in hooks if hook["name"] == denial.webhook), None)
                if hook is not None:
                    return _kept_by(item) or _served_by(hook)
    except KubernetesError:
        # To look at others' rules is a right of its own, without which the rest still holds.
        return ""
    return ""


def _kept_by(found: Document) -> str:
    labels = found["metadata"].get("labels") or {}
    return manager_of(found) or str(labels.get(MANAGED_BY_LABEL) or "")


def _served_by(hook: Document) -> str:
    service = (hook.get("clientConfig") or {}).get("service")
    return f"Service {service['namespace']}/{service['name']}" if service else ""


def _untried(rehearsal: Rehearsal) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for item in rehearsal.outcomes:
        if item.untried:
            reasons.setdefault(item.untried, []).append(str(item.trial.reference))
    for reason, objects in reasons.items():
        more = f" and {len(objects) - _TOLD} more" if len(objects) > _TOLD else ""
        yield f"{reason} ({', '.join(objects[:_TOLD])}{more})"
