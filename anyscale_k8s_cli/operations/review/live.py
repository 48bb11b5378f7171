"""The page of a cloud that is there, as it is now. Performs reads only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.abilities import NamesEndpoints, TellsGrants, TellsProtection
from anyscale_k8s_cli.cloud_side import Storage, WorkloadEndpoints
from anyscale_k8s_cli.ledger import UNTOLD
from anyscale_k8s_cli.operations.behind import look_behind
from anyscale_k8s_cli.operations.clouds import opened
from anyscale_k8s_cli.operations.requests import StatusRequest
from anyscale_k8s_cli.operations.review import (
    Bucket,
    Holder,
    Place,
    Review,
    egress,
    of_setup,
    outsiders,
    pods_accounts,
    registry_of,
)
from anyscale_k8s_cli.operations.review.inside import Inside
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.operator_token import OperatorAccount, OperatorKey
from anyscale_k8s_cli.resource import (
    Claim,
    NotYetKnown,
    Observed,
    Ownership,
    Resource,
    ownership,
)
from anyscale_k8s_cli.run import Run


async def live(request: StatusRequest, run: Run) -> Review:
    """Look at all of it. What cannot be seen is told, with the reason.

    Raises `cloud-not-found` where its cluster cannot be looked into, and what finding the
    cloud raises.
    """

    def look() -> Review:
        with opened(request, run) as clouds:
            with run.phase("discover", "Looking for the cloud and its cluster"):
                behind = look_behind(request, clouds, run)
            if behind.wiring is None:
                raise errors.CliError(
                    errors.CLOUD_NOT_FOUND,
                    f"What {behind.cloud.name} has and may is not known",
                    cause=behind.why_unseen,
                    fix=behind.unseen.command
                    if behind.unseen
                    else "name its platform and --name instead, for what a setup would make",
                )
            with run.phase("review", "Looking at what it has and may"):
                return _Teller(behind.wiring).review(run)

    return await asyncio.to_thread(look)


_SIGNING_IN = (OperatorAccount.kind, OperatorKey.kind)


class _Teller:
    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._inside = Inside(wiring)
        self._unknown: list[str] = []

    def review(self, run: Run) -> Review:
        wiring, install = self._wiring, self._wiring.install
        images = self._inside.images()
        storage = self._storage()
        if wiring.side is None:
            self._unknown.append(f"what is outside the cluster: {UNTOLD}")
        return Review(
            Place(
                install.cloud,
                install.provider,
                install.namespace,
                live=True,
                account=install.account or None,
                region=install.region,
                cluster=install.cluster,
            ),
            identities=tuple(self._identities()),
            kubernetes=tuple(self._inside.roles()),
            secrets=tuple(self._inside.secrets()),
            network=self._inside.network(),
            egress=egress(
                wiring.host,
                self._endpoints(storage),
                sorted({registry_of(item.image) for item in images}),
            ),
            images=images,
            outside=outsiders(wiring.host, separate=self._separate),
            data=tuple(self._data(storage)),
            setup=tuple(of_setup(install.provider, run)),
            unknown=tuple(self._unknown),
        )

    @property
    def _separate(self) -> bool:
        """Whether Ray's pods have an identity of their own."""
        return self._wiring.side is not None and self._wiring.side.workloads is not None

    def _identities(self) -> Iterator[Holder]:
        """Whoever pods are, and each object outside that holds no data."""
        wiring = self._wiring
        registered = wiring.registered_identity
        rights = (f"registered at Anyscale as {registered}",) if registered else ()
        yield from pods_accounts(wiring.install.namespace, *rights, separate=self._separate)
        for entry in wiring.ledger.entries.values():
            if entry.kind in _SIGNING_IN:
                yield Holder(entry.title, entry.id, entry.ownership)
        side = wiring.side
        for resource in side.resources if side else ():
            if resource is side.storage:  # type: ignore[union-attr]
                continue
            observed = self._seen(resource)
            if observed is not None:
                documents = (
                    tuple(resource.grants(observed)) if isinstance(resource, TellsGrants) else ()
                )
                yield Holder(
                    resource.title,
                    observed.id,
                    self._whose(resource, observed),
                    documents=documents,
                )

    def _data(self, storage: Storage | None) -> Iterator[Bucket]:
        side = self._wiring.side
        if side is None or storage is None:
            return
        resource, observed = side.storage, side.storage.observed
        told = {}
        if observed is not None and isinstance(resource, TellsProtection):
            told = dict(resource.protection(observed))
        whose = self._whose(resource, observed) if observed else Ownership.OURS.value
        yield Bucket(storage.url, storage.region or None, whose, told)

    def _storage(self) -> Storage | None:
        side = self._wiring.side
        if side is None or self._seen(side.storage) is None:
            return None
        return side.storage.output

    def _endpoints(self, storage: Storage | None) -> WorkloadEndpoints:
        wiring = self._wiring
        if storage is None:
            return WorkloadEndpoints()
        found = WorkloadEndpoints(storage.endpoint)
        if wiring.spec is not None and isinstance(wiring.provider, NamesEndpoints):
            named = wiring.provider.workload_endpoints(wiring.spec, wiring.cluster, storage)
            found = WorkloadEndpoints(named.storage or storage.endpoint, named.tokens)
        return found

    def _seen(self, resource: Resource[Any]) -> Observed[Any] | None:
        """The object as it is; what may not be seen, or is not there, is told as unknown."""
        try:
            observed = self._wiring.seen(resource)
        except (errors.CliError, NotYetKnown) as problem:
            self._unknown.append(f"{resource.title}: {problem}")
            return None
        if observed is None:
            self._unknown.append(f"{resource.title}: it is not there")
        return observed

    def _whose(self, resource: Resource[Any], observed: Observed[Any]) -> str:
        if resource.claim is Claim.ADOPT:
            return Ownership.ADOPTED.value
        return ownership(resource, observed, self._wiring.ledger.rights).value
