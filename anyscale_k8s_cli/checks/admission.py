"""Checks of what was tried without being done: who forbids it, and whether there is room for it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.rehearsal import Rehearsal
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared, passed, ranges
from anyscale_k8s_cli.cluster.admission import Denial, way_on
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.dry_runs import Outcome
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.managers import MANAGED_BY_LABEL, manager_of
from anyscale_k8s_cli.cluster.quantities import amount, written
from anyscale_k8s_cli.cluster.transport import KubernetesError

_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_REGISTRATION = "admissionregistration.k8s.io/v1"
_COMPUTE = ("requests", "limits")
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
        if item.denial and not _of_room(item.denial)
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
    return Finding(
        Status.FAIL,
        f"{first.trial.reference} is forbidden by {denial}{more}",
        tuple(f"{item.trial.reference}: {denial}" for item, denial in found),
        "\n".join(dict.fromkeys("\n".join(fixes).splitlines())),
    )


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


# -- room ------------------------------------------------------------------------------


def limits(kubernetes: Kubernetes, rehearsal: Rehearsal) -> Finding:
    """Whether quotas and ranges of the namespaces let in all that setup brings, taken together."""
    for item in rehearsal.denied:
        if item.denial is not None and _of_room(item.denial):
            fix = _more_room(kubernetes, item)
            return Finding(
                Status.FAIL,
                f"{item.trial.reference}: {item.denial}",
                tuple(
                    f"{other.trial.reference}: {other.denial}"
                    for other in rehearsal.denied
                    if other.denial is not None and _of_room(other.denial)
                ),
                fix,
            )
    stored = [item for item in rehearsal.outcomes if item.answer is not None]
    for namespace in sorted({item.trial.reference.namespace or "" for item in stored} - {""}):
        if short := _short(kubernetes, namespace, stored):
            return short
    if narrow := _narrow(kubernetes, stored):
        return narrow
    imposed = [line for item in stored for line in _imposed(item)]
    if imposed:
        return Finding(
            Status.WARN,
            f"the namespace's LimitRange fills in {imposed[0]}"
            + (f", and {len(imposed) - 1} more" if len(imposed) > 1 else ""),
            tuple(imposed),
            "say with --values what the operator's containers take "
            "(operator.container.resources, operator.vector.resources), where that is too small",
        )
    return passed()


def _of_room(denial: Denial) -> bool:
    return "ResourceQuota" in denial.by or "LimitRange" in denial.by


def _short(kubernetes: Kubernetes, namespace: str, stored: Sequence[Outcome]) -> Finding | None:
    """What a quota lacks for everything together: each by itself has room."""
    here = [item for item in stored if item.trial.reference.namespace == namespace]
    wanted = _needed(here)
    for quota in kubernetes.list("v1", "ResourceQuota", namespace):
        spec, used = quota["spec"], (quota.get("status") or {}).get("used") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue  # of some pods alone, which are not known here
        more: dict[str, str] = {}
        lines = []
        for name, hard in (spec.get("hard") or {}).items():
            sum_of_both = amount(used.get(name, 0)) + wanted.get(name, Decimal(0))
            if name in wanted and sum_of_both > amount(hard):
                more[name] = written(name, sum_of_both)
                needed = written(name, wanted[name])
                lines.append(f"{name}: limit {hard}, used {used.get(name, 0)}, needed {needed}")
        if more:
            name = quota["metadata"]["name"]
            return Finding(
                Status.FAIL,
                f"the ResourceQuota {name} of the namespace {namespace} has no room: {lines[0]}",
                tuple(lines),
                _patched(kubernetes, "resourcequota", name, namespace, {"spec": {"hard": more}}),
            )
    return None


def _needed(outcomes: Sequence[Outcome]) -> Mapping[str, Decimal]:
    """By the names of quotas. Hooks have ended when the rest begins."""
    hooks, rest = _sum(outcomes, hooks=True), _sum(outcomes, hooks=False)
    return {
        name: max(hooks.get(name, Decimal(0)), rest.get(name, Decimal(0)))
        for name in {*hooks, *rest}
    }


def _sum(outcomes: Sequence[Outcome], *, hooks: bool) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for item in outcomes:
        if item.trial.hook is hooks and item.answer is not None and _is_more(item):
            for name, value in _counts(item.answer):
                total[name] = total.get(name, Decimal(0)) + value
    return total


def _is_more(item: Outcome) -> bool:
    """Whether the object is not there yet: a dry run gives no version to what would be made."""
    return item.trial.new or not (item.answer or {})["metadata"].get("resourceVersion")


def _counts(found: Document) -> Iterator[tuple[str, Decimal]]:
    kind, one = found["kind"], Decimal(1)
    if kind in ("ConfigMap", "Secret", "Service", "Pod"):
        yield f"{kind.lower()}s", one
        yield f"count/{kind.lower()}s", one
    if kind == "Service" and found["spec"].get("type") == "LoadBalancer":
        yield "services.loadbalancers", one
    if kind == "Pod":
        for container in found["spec"].get("containers") or ():
            for side in _COMPUTE:
                for name, value in ((container.get("resources") or {}).get(side) or {}).items():
                    yield f"{side}.{name}", amount(value)
                    if side == "requests":
                        yield name, amount(value)


def _narrow(kubernetes: Kubernetes, stored: Sequence[Outcome]) -> Finding | None:
    """Instance types whose pods, when somebody asks for them, a LimitRange would not let in."""
    for item in stored:
        table = _types_in(item.trial.manifest)
        namespace = item.trial.reference.namespace
        if not table or not namespace:
            continue
        there = kubernetes.list("v1", "LimitRange", namespace)
        wide = [line for found in there for line in _too_large(found, table)]
        if wide:
            return Finding(
                Status.WARN,
                f"pods of {wide[0]}" + (f", and {len(wide) - 1} more" if wide[1:] else ""),
                tuple(wide),
                "let an administrator of the namespace widen the range, or offer smaller types "
                "with --instance-types",
            )
    return None


def _types_in(manifest: Document) -> Mapping[str, Document]:
    if (manifest["metadata"].get("labels") or {}).get("anyscale.com/name") != "instance-types":
        return {}
    return yaml.safe_load((manifest.get("data") or {}).get("instance_types.yaml") or "") or {}


def _too_large(found: Document, table: Mapping[str, Document]) -> Iterator[str]:
    for item in found["spec"].get("limits") or ():
        if item.get("type") not in ("Container", "Pod"):
            continue
        for name, kind in table.items():
            asked = {key.lower(): value for key, value in (kind.get("resources") or {}).items()}
            for resource, most in (item.get("max") or {}).items():
                if resource in asked and amount(asked[resource]) > amount(most):
                    yield (
                        f"{name} are more than the LimitRange {found['metadata']['name']} lets a "
                        f"{item['type'].lower()} have: {resource} {asked[resource]}, at most {most}"
                    )


def _imposed(item: Outcome) -> Iterator[str]:
    """Of a pod, what somebody has filled in that its chart leaves out."""
    if item.trial.reference.kind != "Pod" or item.answer is None:
        return
    asked = {each["name"]: each for each in item.trial.manifest["spec"].get("containers") or ()}
    for container in item.answer["spec"].get("containers") or ():
        said = (asked.get(container["name"]) or {}).get("resources") or {}
        given = container.get("resources") or {}
        for side in _COMPUTE:
            # A request that is left out is as high as the limit: that is the API's own rule.
            known = {**(said.get("limits") or {}), **(said.get(side) or {})}
            if side == "limits":
                known = said.get("limits") or {}
            for name, value in (given.get(side) or {}).items():
                if name not in known:
                    yield f"{side}.{name}={value} of the container {container['name']}"


def _more_room(kubernetes: Kubernetes, item: Outcome) -> str:
    """The administrator's command for one object that finds no room."""
    denial, namespace = item.denial, item.trial.reference.namespace or ""
    assert denial is not None, "asked of what is denied"  # noqa: S101
    if denial.rule is not None:
        return _of_quota(kubernetes, denial, denial.rule)
    commands = list(ranges.wider(kubernetes, namespace, denial))
    if not commands:
        return way_on(denial, kubernetes.access.kubectl)
    return "\n".join((*commands, ranges.AGAIN))


def _of_quota(kubernetes: Kubernetes, denial: Denial, at: Reference) -> str:
    """Where one object is more than what is left, the quota as it must be for that one."""
    if ranges.unsaid(denial):
        return ranges.defaults_for(kubernetes, at.namespace or "", denial)
    parts = dict(re.findall(r"(requested|used|limited): (\S+?)(?:, |$)", denial.words))
    if "requested" not in parts:
        return way_on(denial, kubernetes.access.kubectl)
    requested, used = (
        dict(pair.split("=", 1) for pair in parts.get(name, "").split(",") if "=" in pair)
        for name in ("requested", "used")
    )
    hard = {
        name: written(name, amount(value) + amount(used.get(name, 0)))
        for name, value in requested.items()
    }
    return _patched(
        kubernetes, "resourcequota", at.name, at.namespace or "", {"spec": {"hard": hard}}
    )


def _patched(kubernetes: Kubernetes, kind: str, name: str, namespace: str, patch: Document) -> str:
    command = kubernetes.access.kubectl(
        f"patch {kind} {name} -n {namespace} --type merge -p {shlex.quote(json.dumps(patch))}"
    )
    return f"{command}\nthis is for an administrator of the namespace; {ranges.AGAIN}"
