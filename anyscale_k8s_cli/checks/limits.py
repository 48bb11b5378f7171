"""Whether quotas and ranges of the namespaces let in all that setup brings.

What one object lacks and what all together lack is told in one go, with commands that suffice
together: amounts that a proposed range fills in are in the sums that are proposed for quotas.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import yaml

from anyscale_k8s_cli.addons.rehearsal import Rehearsal
from anyscale_k8s_cli.checks import Finding, Status, passed, quotas, ranges
from anyscale_k8s_cli.cluster.admission import Denial, way_on
from anyscale_k8s_cli.cluster.documents import Document, Documents
from anyscale_k8s_cli.cluster.dry_runs import Outcome
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.quantities import amount, written
from anyscale_k8s_cli.cluster.transport import KubernetesError

_FOR_ADMINISTRATORS = "this is for an administrator of the namespace, all of it together"
WITHOUT_BALANCER = (
    "or do without a load balancer, with a way in of your own: --network none --address ADDRESS"
)


def limits(kubernetes: Kubernetes, rehearsal: Rehearsal) -> Finding:
    coming = [item for item in rehearsal.outcomes if quotas.comes(item)]
    names = sorted({item.trial.reference.namespace or "" for item in coming} - {""})
    lacks = [_lack(kubernetes, name, coming) for name in names]
    lines = [line for lack in lacks for line in lack.lines]
    if lines:
        more = f"; and {len(lines) - 1} more" if len(lines) > 1 else ""
        return Finding(Status.FAIL, f"{lines[0]}{more}", tuple(lines), _fix(lacks))
    stored = [item for item in rehearsal.outcomes if item.answer is not None]
    return _narrow(kubernetes, stored) or _filled_in(stored) or passed()


@dataclass(frozen=True)
class _Lack:
    """What keeps a namespace from taking all that comes, and what lets it.

    `commands` are an administrator's, `words` what there is to do besides or instead.
    """

    lines: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def _fix(lacks: Sequence[_Lack]) -> str:
    commands = dict.fromkeys(command for lack in lacks for command in lack.commands)
    words = dict.fromkeys(word for lack in lacks for word in lack.words)
    whose = (_FOR_ADMINISTRATORS,) if commands else ()
    return "\n".join((*commands, *whose, *words, ranges.AGAIN))


def _lack(kubernetes: Kubernetes, namespace: str, coming: Sequence[Outcome]) -> _Lack:
    here = [item for item in coming if item.trial.reference.namespace == namespace]
    denied = [
        (item, item.denial) for item in here if item.denial is not None and item.denial.of_room
    ]
    found = _quotas(kubernetes, namespace, may_miss=bool(denied))
    there = ranges.items(kubernetes, namespace)
    pods = [ranges.filled(pod, there) for pod in _pods(here)]
    unsaid = {quota["metadata"]["name"]: _unsaid(quota, pods) for quota in found}
    silent = _together([*unsaid.values(), *(ranges.unsaid(denial) for _, denial in denied)])
    proposal = ranges.proposal(silent, pods)
    filled = partial(ranges.filled, items=(*there, *((proposal,) if proposal else ())))
    needed = quotas.needed(kubernetes, here, filled) if found else {}
    short = [item for quota in found for item in quotas.short(quota, needed)]
    out_of_range = [(item, denial) for item, denial in denied if denial.rule is None]
    # Of quotas that cannot be counted here: what the API server says of one object.
    counted = {*(name for name, what in unsaid.items() if what), *(item.quota for item in short)}
    alone = [(item, each) for item, each in denied if each.rule and each.rule.name not in counted]
    told = ranges.told(kubernetes, namespace, silent, proposal)
    return _Lack(
        (
            *(f"{item.trial.reference}: {denial}" for item, denial in (*out_of_range, *alone)),
            *(_unsaid_line(namespace, name, what) for name, what in unsaid.items() if what),
            *map(str, short),
        ),
        (
            *ranges.wider(kubernetes, namespace, [denial for _, denial in out_of_range]),
            *(line for _, denial in alone for line in _of_quota(kubernetes, denial)),
            *told.commands,
            *_patches(kubernetes, short),
        ),
        (
            *told.words,
            *((WITHOUT_BALANCER,) if any("loadbalancers" in item.name for item in short) else ()),
        ),
    )


def _quotas(kubernetes: Kubernetes, namespace: str, *, may_miss: bool) -> Documents:
    try:
        return quotas.of_all_pods(kubernetes.list("v1", "ResourceQuota", namespace))
    except KubernetesError:
        # Who may not look at them is told by the API server's words alone.
        if may_miss:
            return []
        raise


def _pods(here: Sequence[Outcome]) -> Iterator[Document]:
    for item in here:
        found = quotas.as_stored(item)
        if found["kind"] == "Pod":
            yield found


def _unsaid(quota: Document, pods: Documents) -> Mapping[str, frozenset[str]]:
    """By what a quota wants to be told, the containers that do not say it."""
    told = (item for pod in pods for item in quotas.unsaid(quota, pod))
    return _together({name: frozenset({container})} for name, container in told)


def _together(several: Iterable[Mapping[str, frozenset[str]]]) -> Mapping[str, frozenset[str]]:
    every: dict[str, frozenset[str]] = {}
    for one in several:
        for name, containers in one.items():
            every[name] = every.get(name, frozenset()) | containers
    return every


def _unsaid_line(namespace: str, quota: str, unsaid: Mapping[str, frozenset[str]]) -> str:
    parts = "; ".join(f"{name} for: {','.join(sorted(each))}" for name, each in unsaid.items())
    return f"the ResourceQuota {quota} of the namespace {namespace}: must specify {parts}"


def _patches(kubernetes: Kubernetes, short: Sequence[quotas.Short]) -> Iterator[str]:
    wanted: dict[tuple[str, str], dict[str, str]] = {}
    for item in short:
        wanted.setdefault((item.namespace, item.quota), {})[item.name] = item.enough
    for (namespace, name), hard in wanted.items():
        yield _patched(kubernetes, name, namespace, hard)


def _of_quota(kubernetes: Kubernetes, denial: Denial) -> Iterator[str]:
    """By the API server's words: the quota as it must be for one object."""
    at = denial.rule
    if at is None or ranges.unsaid(denial):
        return
    parts = dict(re.findall(r"(requested|used|limited): (\S+?)(?:, |$)", denial.words))
    if "requested" not in parts:
        yield from way_on(denial, kubernetes.access.kubectl).splitlines()[:1]
        return
    requested, used = (
        dict(pair.split("=", 1) for pair in parts.get(name, "").split(",") if "=" in pair)
        for name in ("requested", "used")
    )
    hard = {
        name: written(name, amount(value) + amount(used.get(name, 0)))
        for name, value in requested.items()
    }
    yield _patched(kubernetes, at.name, at.namespace or "", hard)


def _patched(kubernetes: Kubernetes, name: str, namespace: str, hard: Mapping[str, str]) -> str:
    patch = shlex.quote(json.dumps({"spec": {"hard": hard}}))
    return kubernetes.access.kubectl(
        f"patch resourcequota {name} -n {namespace} --type merge -p {patch}"
    )


# -- what is let in and may still be too little ------------------------------------------


def _filled_in(stored: Sequence[Outcome]) -> Finding | None:
    imposed = [line for item in stored for line in _imposed(item)]
    if not imposed:
        return None
    return Finding(
        Status.WARN,
        f"the namespace's LimitRange fills in {imposed[0]}"
        + (f", and {len(imposed) - 1} more" if len(imposed) > 1 else ""),
        tuple(imposed),
        "say with --values what the operator's containers take "
        "(operator.container.resources, operator.vector.resources), where that is too small",
    )


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
        for side in quotas.COMPUTE:
            # A request that is left out is as high as the limit: that is the API's own rule.
            known = {**(said.get("limits") or {}), **(said.get(side) or {})}
            if side == "limits":
                known = said.get("limits") or {}
            for name, value in (given.get(side) or {}).items():
                if name not in known:
                    yield f"{side}.{name}={value} of the container {container['name']}"
