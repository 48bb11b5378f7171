"""Writes that are tried and not done: what the API server would say of them.

https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.admission import Denial, denial_in, not_tried_by
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.transport import KubernetesError
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.resource import Observed

# Where the templates of pods are, by kind.
_TEMPLATES = {
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
}
_NO_ACCOUNT = "error looking up service account"
# Of a pod that is tried: its controller would draw the rest of the name.
_SUFFIX = "-dry-run"


@dataclass(frozen=True)
class Trial:
    """An object as it would be written. `new` is one that is made under a name that nobody has;
    others are applied. `hook` is one that helm makes before all others, and removes. `copies`
    are how many there will be, besides those that are there. Of one that is `supposed` it is
    known what it takes and not all that it is: only what is said of its amounts counts."""

    manifest: Document
    new: bool = False
    hook: bool = False
    copies: int = 1
    supposed: bool = False

    @property
    def reference(self) -> Reference:
        return Reference.of(self.manifest)


@runtime_checkable
class Rehearsed(Protocol):
    """A resource that can say beforehand what it writes in the cluster."""

    def written(self, observed: Observed[Any] | None) -> Iterable[Trial]:
        """What a creation or, of what was observed, an update writes. Never writes."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What became of a trial: the object as it would be stored, or who forbids it, or why
    that could not be found out."""

    trial: Trial
    answer: Document | None = None
    denial: Denial | None = None
    untried: str = ""


@dataclass(frozen=True)
class Attempts:
    """Where trials are made. Namespaces that are `coming` hold nothing yet, and what the
    webhooks named in `own` say counts only once they are those of this install."""

    kubernetes: Kubernetes
    coming: frozenset[str] = frozenset()
    own: frozenset[str] = field(default_factory=frozenset)

    def outcomes(self, trials: Sequence[Trial]) -> list[Outcome]:
        """One request for each, side by side. Raises only what tells of an interruption."""
        return side_by_side(*(partial(self._tried, trial) for trial in trials))

    def _tried(self, trial: Trial) -> Outcome:
        where = trial.reference.namespace
        if where in self.coming:
            return Outcome(trial, untried=f"the namespace {where} does not exist yet")
        try:
            return Outcome(trial, self._written(trial))
        except KubernetesError as problem:
            if _NO_ACCOUNT in problem.cause and trial.reference.kind == "Pod":
                return self._as_default(trial)
            return self._judged(trial, problem)

    def _written(self, trial: Trial) -> Document:
        if trial.new:
            return self.kubernetes.create(trial.manifest, dry_run=True)
        return self.kubernetes.apply(trial.manifest, dry_run=True)

    def _as_default(self, trial: Trial) -> Outcome:
        """A pod whose service account is still to be made, as one of the namespace's own."""
        manifest = copy.deepcopy(trial.manifest)
        manifest["spec"].pop("serviceAccountName", None)
        try:
            return Outcome(trial, self._written(Trial(manifest, trial.new)))
        except KubernetesError as problem:
            if "service account" in problem.cause.lower():
                return Outcome(trial, untried="its service account does not exist yet")
            return self._judged(trial, problem)

    def _judged(self, trial: Trial, problem: KubernetesError) -> Outcome:
        said = problem.evidence[0] if problem.evidence else problem.cause
        if webhook := not_tried_by(said):
            return Outcome(trial, untried=f"the webhook {webhook} takes no dry runs")
        denial = denial_in(said, trial.reference.namespace or "")
        if denial is None and problem.status == 422:
            denial = Denial("the API server", said)
        if denial is not None:
            no_say = self._no_say(trial, denial)
            return Outcome(trial, untried=no_say) if no_say else Outcome(trial, denial=denial)
        if problem.reason == "AlreadyExists":
            return Outcome(trial)
        return Outcome(trial, untried=_why(trial, problem))

    def _no_say(self, trial: Trial, denial: Denial) -> str:
        """Why what was said does not count; empty where it does."""
        if denial.webhook in self.own:
            return "the operator's webhook still asks about another registration"
        if trial.supposed and not denial.of_room:
            return "its controller alone knows all of it"
        return ""


def _why(trial: Trial, problem: KubernetesError) -> str:
    if problem.status == 404 and "does not know" in problem.message:
        return f"the cluster has no {trial.reference.kind} yet"
    if problem.code is errors.CLUSTER_FORBIDDEN:
        return f"not allowed: {problem.cause}"
    return str(problem)


def pods_of(
    workload: Document, *, hook: bool = False, live: Document | None = None
) -> Iterator[Trial]:
    """The pod that a workload's controller would make: rules for pods judge no workload.

    `live` is the workload as it is, where it is there already.
    """
    path = _TEMPLATES.get(workload["kind"])
    if path is None:
        return
    template = workload
    for key in path:
        template = template.get(key) or {}
    metadata, own = workload["metadata"], template.get("metadata") or {}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **{key: own[key] for key in ("annotations", "labels") if own.get(key)},
            "name": f"{metadata['name']}{_SUFFIX}",
            "namespace": metadata.get("namespace"),
        },
        "spec": template.get("spec") or {},
    }
    yield Trial(pod, new=True, hook=hook, copies=_copies(workload, live))


def _copies(workload: Document, live: Document | None) -> int:
    """How many pods there are at once, beside those that are there before."""
    spec, kind = workload.get("spec") or {}, workload["kind"]
    if kind == "Job":
        return int(spec.get("parallelism") or 1)
    if kind not in ("Deployment", "StatefulSet"):
        return 1 if live is None else 0
    wanted = _replicas(spec)
    if live is None:
        return wanted
    more = max(0, wanted - _replicas(live.get("spec") or {}))
    return more + (_surge(spec, wanted) if kind == "Deployment" else 0)


def _replicas(spec: Document) -> int:
    said = spec.get("replicas")
    return 1 if said is None else int(said)


def _surge(spec: Document, wanted: int) -> int:
    """How many more there are while old pods are replaced by new ones."""
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    said = str((strategy.get("rollingUpdate") or {}).get("maxSurge", "25%"))
    if said.endswith("%"):
        return math.ceil(wanted * int(said.removesuffix("%")) / 100)
    return int(said)
