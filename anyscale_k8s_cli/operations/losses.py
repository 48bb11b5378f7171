"""Data that a plan would leave behind, or finds gone: told before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.plan import Plan, PlannedChange
from anyscale_k8s_cli.registration import RegisteredResource
from anyscale_k8s_cli.resource import Change, NotYetKnown, Resource, Rights, decide


def with_lost_data(plan: Plan, storage: Resource[Storage], registered: str, rights: Rights) -> Plan:
    """The plan, where a bucket that is registered and gone is no creation like any other."""

    def told(item: PlannedChange) -> PlannedChange:
        if item.resource is not storage or item.change is not Change.CREATE:
            return item
        return replace(item, decision=decide(storage, None, known))

    known = rights_with_registered(rights, storage, registered)
    return plan if known is rights else Plan(tuple(map(told, plan.changes)))


def rights_with_registered(rights: Rights, storage: Resource[Storage], registered: str) -> Rights:
    """The rights, where what is registered counts as made: somebody may have lost the ledger."""
    if not registered or url_of(storage) != registered:
        return rights
    return replace(rights, made=rights.made | {storage.key})


def registered_bucket(registration: RegisteredResource) -> str:
    """The URL that the control plane has; empty where there is none."""
    if registration.observed is None:
        return ""
    storage = registration.observed.state.object_storage
    return str(storage.bucket_name) if storage else ""


def losses(plan: Plan, storage: Resource[Storage], registered: str) -> Iterator[str]:
    """A line for each loss."""
    for item in plan.changes:
        if item.decision.lost:
            yield f"{item.resource.title}: {item.decision.reason}"
    wanted = url_of(storage)
    if registered and wanted and registered != wanted:
        yield (
            f"the cloud would move from {registered} to {wanted}: what is in the first "
            "(logs, artifacts) stays there and is not copied"
        )


def url_of(storage: Resource[Storage]) -> str:
    """Empty where it is known only once the bucket is made."""
    try:
        return storage.output.url
    except NotYetKnown:
        return ""
