"""Abilities that not every provider has, and not every resource: each is asked for by its type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from anyscale_k8s_cli.checks import Finding
from anyscale_k8s_cli.cloud_side import Storage, WorkloadEndpoints
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Cluster, PolicyDocument
from anyscale_k8s_cli.resource import Observed, Resource
from anyscale_k8s_cli.spec import CloudSpec, Scope, Settings


@runtime_checkable
class TellsGrants(Protocol):
    """An ability of resources: they let somebody in, or let somebody do something."""

    def grants(self, observed: Observed[Any]) -> Sequence[PolicyDocument]:
        """Whom, and what, as the platform has it now. Nothing is asked for it."""
        ...


@runtime_checkable
class TellsProtection(Protocol):
    """An ability of resources that hold data."""

    def protection(self, observed: Observed[Any]) -> Mapping[str, str]:
        """How the data is kept from others, as it was seen. Nothing is asked for it."""
        ...


@runtime_checkable
class TellsBeforehand(Protocol):
    """An ability that not every platform has: it tells offline what its resources will tell."""

    def grants(self, spec: CloudSpec, install: Install, bucket: str) -> Sequence[PolicyDocument]:
        """What setup will write for a spec; what is not known yet is in angle brackets."""
        ...

    def protection(self, spec: CloudSpec) -> Mapping[str, str]:
        """What a bucket of setup's making is set to."""
        ...


@runtime_checkable
class RegistersUnplaced(Protocol):
    """An ability that not every platform has: what a person made can be registered unseen.

    That is before anybody says which cluster it is for.
    """

    @property
    def required_unplaced(self) -> tuple[str, ...]:
        """Spec fields (dotted) that must be said where no cluster tells them."""
        ...

    def unplaced(self, spec: CloudSpec) -> Cluster:
        """Account and region by credentials and options; the cluster's id is empty.

        `cloud_side`, `registration`, `operator_values`, `load_balancer` and `checks` take it
        like any other, and leave out what only the cluster would tell. Raises as `discover`.
        """
        ...


@runtime_checkable
class ListsClusters(Protocol):
    """An ability that not every platform has: its API lists clusters."""

    def clusters(self, scope: Scope) -> Sequence[str]:
        """The names of the clusters in the scope's account and region.

        Contexts, where the platform needs one to find a cluster.
        """
        ...


@runtime_checkable
class KnowsItsAccount(Protocol):
    """An ability that not every platform has: credentials that name an account."""

    def completed(self, scope: Scope) -> Scope:
        """The scope, with the account of the credentials where none is said.

        Where they name none either it raises `missing-input`, or leaves the account open if
        all of them can be searched.
        """
        ...


@runtime_checkable
class KnowsCaller(Protocol):
    """An ability that not every platform has: it tells whose the credentials are."""

    def caller(self) -> str:
        """Who this machine is to the platform, and in whose account.

        Raises `cloud-credentials-missing` and `cloud-credentials-rejected`.
        """
        ...


@runtime_checkable
class ComparesIdentities(Protocol):
    """An ability that not every platform has: an identity has two names."""

    def same_identity(self, registered: str, held: str) -> bool:
        """Whether who is registered is whom a pod found itself to be."""
        ...


@runtime_checkable
class NamesEndpoints(Protocol):
    """An ability that not every platform has: its store has no endpoint that is said."""

    def workload_endpoints(
        self, spec: CloudSpec, cluster: Cluster, storage: Storage
    ) -> WorkloadEndpoints:
        """Where its SDKs would send a pod that uses the bucket. Nothing is asked for it."""
        ...


@runtime_checkable
class MarksSpot(Protocol):
    """An ability that not every platform has: nodes that it may take away carry a label."""

    @property
    def spot_labels(self) -> Mapping[str, str]:
        """Labels with their values, by any of which such a node is known."""
        ...


@runtime_checkable
class ForeseesDenials(Protocol):
    """An ability that not every platform has: it tells beforehand what one may not remove."""

    def removal_rights(
        self, install: Install, going: Sequence[Resource[Any]], staying: Sequence[Resource[Any]]
    ) -> Finding:
        """Of objects that were found, and of those that stay and lose our marks.

        A failure is what would stop a deletion half-way; its evidence names each right.
        """
        ...


@runtime_checkable
class AsksForSecrets(Protocol):
    """An ability that not every platform has: credentials that a person may type."""

    def secrets(self, settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
        """The variables that are to hold what is typed, each with the question for it.

        Empty where nothing is missing. An answer may be empty: the platform then goes on
        with what it finds elsewhere.
        """
        ...
