"""What would stop a deletion half-way: rights that are missing, before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from anyscale_k8s_cli import apply as engine
from anyscale_k8s_cli import errors
from anyscale_k8s_cli.abilities import ForeseesDenials
from anyscale_k8s_cli.addons.gateway import Gateway
from anyscale_k8s_cli.addons.nginx import IngressState, NginxIngress
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.checks.cluster import rights
from anyscale_k8s_cli.cluster.definitions import Definitions
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.namespaces import Namespace
from anyscale_k8s_cli.cluster.objects import KubernetesObject
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.provider import Provider, Verb
from anyscale_k8s_cli.resource import Change
from anyscale_k8s_cli.run import Run

# The ledger, Helm's records and the lock, which every deletion in a cluster writes.
_ALWAYS = frozenset({("", "configmaps"), ("", "secrets"), ("coordination.k8s.io", "leases")})


def in_cloud(
    provider: Provider, install: Install, outside: Sequence[PlannedChange], run: Run
) -> errors.CliError | None:
    """What the platform would not let be done; that it cannot tell is told, and stops nothing."""
    if not install.cluster or not isinstance(provider, ForeseesDenials):
        return None
    going = [item.resource for item in outside if item.change is Change.DELETE]
    staying = [item.resource for item in outside if engine.kept_with_marks(item)]
    found = provider.removal_rights(install, going, staying)
    return _told(found, errors.FORBIDDEN, "what you may remove", run)


def in_cluster(
    kubernetes: Kubernetes,
    provider: str,
    install: Install,
    inside: Sequence[PlannedChange],
    run: Run,
) -> errors.CliError | None:
    """What the API server would not let be done with what is going; the rest is told."""
    going = (item for item in inside if item.change is Change.DELETE)
    kinds = {kind for item in going for kind in _kinds(kubernetes, item)}
    if not kinds:
        return None
    found = rights(
        kubernetes,
        install.namespace,
        Verb.DELETE,
        provider,
        "nginx" if any(isinstance(item.resource, NginxIngress) for item in inside) else "",
        needed=lambda right: (right.group, right.resource) in kinds | _ALWAYS,
    )
    return _told(found, errors.CLUSTER_FORBIDDEN, "what you may remove in the cluster", run)


def _told(finding: Finding, code: errors.ErrorCode, what: str, run: Run) -> errors.CliError | None:
    if finding.status is Status.FAIL:
        return errors.CliError(
            code,
            "You may not remove all that would be removed",
            cause=finding.detail,
            evidence=finding.evidence,
            fix=finding.fix,
        )
    if finding.status is not Status.PASS:
        text = "; ".join((f"{what}: {finding.detail}", *finding.evidence))
        run.emit(Notice(level="warning" if finding.status is Status.WARN else "info", text=text))
    return None


def _kinds(kubernetes: Kubernetes, item: PlannedChange) -> Iterator[tuple[str, str]]:
    """Group and plural of each kind of object that goes with a resource, as they are served."""
    for reference in _objects(item):
        group, _, _ = reference.api_version.rpartition("/")
        plural = kubernetes.plural(reference.api_version, reference.kind)
        if plural is not None:
            yield group, plural


def _objects(item: PlannedChange) -> Iterator[Reference]:
    resource, output = item.resource, item.observed.output if item.observed else None
    if isinstance(resource, KubernetesObject | Gateway):
        yield resource.reference
    elif isinstance(resource, Definitions):
        yield Reference("apiextensions.k8s.io/v1", "CustomResourceDefinition", "")
    elif isinstance(resource, Namespace):
        yield Reference("v1", "Namespace", "")
    elif isinstance(output, IngressState):
        yield from (found.reference for found in output.record.objects)
    elif isinstance(output, ReleaseRecord):
        yield from (found.reference for found in output.objects)
