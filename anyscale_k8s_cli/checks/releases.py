"""Whether the releases of an install are deployed, and what came of them is up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from anyscale_k8s_cli.addons import gateway_controller, gpu, nginx
from anyscale_k8s_cli.addons.addresses import OWNER
from anyscale_k8s_cli.addons.names import OPERATOR_RELEASE
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared, passed
from anyscale_k8s_cli.cluster.diagnosis import diagnose_workload
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.release_failures import unready
from anyscale_k8s_cli.cluster.release_records import ManifestObject, ReleaseRecord, newest
from anyscale_k8s_cli.cluster.release_work import made_by_us


@dataclass(frozen=True)
class _Fault:
    """`told` is what is wrong, `seen` why, `look` the words after helm or kubectl that show it."""

    told: str
    seen: tuple[str, ...]
    look: str


def releases_check(kubernetes: Kubernetes, namespace: str, again: str) -> BoundCheck:
    """Of the operator's own pods another check tells. `again` is the command that sets up anew."""
    places = (
        (gateway_controller.NAMESPACE, gateway_controller.RELEASE),
        (gpu.NAMESPACE, gpu.RELEASE),
        (namespace, nginx.RELEASE),
        (namespace, OPERATOR_RELEASE),
    )

    def look() -> Finding:
        found = [newest(kubernetes, *place) for place in places]
        ours = [record for record in found if record is not None and made_by_us(record)]
        faults = [fault for record in ours for fault in _faults(kubernetes, record)]
        if not faults:
            return passed(", ".join(record.name for record in ours))
        more = f", and {len(faults) - 1} more" if faults[1:] else ""
        evidence = [line for fault in faults for line in fault.seen]
        evidence += [fault.told for fault in faults[1:]]
        return Finding(
            Status.WARN, faults[0].told + more, tuple(evidence), f"{faults[0].look}\n{again}"
        )

    keys = (f"helm:release/{place}/{name}" for place, name in places)
    return declared.RELEASES_UP.bind(look, tuple(keys))


def _faults(kubernetes: Kubernetes, record: ReleaseRecord) -> Iterator[_Fault]:
    if record.status != "deployed":
        hooks = (where for where, _ in unready(kubernetes, _references(record.hook_objects)))
        causes = (diagnose_workload(kubernetes, where) for where in hooks)
        yield _Fault(
            f"the release {record.namespace}/{record.name} is {record.status}, by its revision "
            f"{record.revision}",
            tuple(cause.cause for cause in causes if cause),
            kubernetes.access.helm(f"history {record.name} --namespace {record.namespace}"),
        )
    if record.name == OPERATOR_RELEASE:
        return
    waiting = [*unready(kubernetes, _references(record.objects))]
    if record.name == gateway_controller.RELEASE:
        waiting += unready(kubernetes, _proxies(kubernetes))
    for where, seen in waiting:
        diagnosis = diagnose_workload(kubernetes, where)
        yield _Fault(
            f"{where} is not up: {seen}",
            (diagnosis.cause, *diagnosis.evidence) if diagnosis else (),
            kubernetes.access.kubectl(
                f"describe {where.kind.lower()} {where.name} -n {where.namespace}"
            ),
        )


def _references(items: Iterable[ManifestObject]) -> Iterator[Reference]:
    return (item.reference for item in items)


def _proxies(kubernetes: Kubernetes) -> list[Reference]:
    """What Envoy Gateway made for Gateways, which no release has."""
    found = kubernetes.list(
        "apps/v1", "Deployment", gateway_controller.NAMESPACE, label_selector=f"{OWNER}-name"
    )
    return [Reference.of(item) for item in found]
