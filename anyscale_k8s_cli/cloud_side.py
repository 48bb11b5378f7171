"""What a platform has outside the cluster for an install: storage, identities, credentials.

Belongs here: the records of it, and how they are put together on platforms of one kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.spec import Addressing, Checksums
from anyscale_k8s_cli.storage_keys import KeysResource


@dataclass(frozen=True)
class Storage:
    """The bucket as the control plane and the chart want it: `url` with its scheme (`s3://…`).

    `region` is what requests are signed for. `endpoint` is a bare origin (`https://host`),
    empty where every SDK knows it by itself. `addressing` and `checksums` are said for
    S3 stores that are not Amazon's: the control plane, the keys' config file and the pods'
    agents are all set by them, and by no platform's name. `cors` is False where the store
    cannot be told whose pages may read in it: that is told, and fails nothing.
    """

    url: str
    region: str
    endpoint: str = ""
    addressing: Addressing | None = None
    checksums: Checksums = Checksums.WHEN_SUPPORTED
    cors: bool = True


@dataclass(frozen=True)
class Identity:
    """`registered` is what the control plane compares, `helm` what the chart wants.

    `audience` is what the operator's tokens are for, where the platform makes them
    for somebody.
    """

    registered: str
    helm: str
    audience: str = ""


@dataclass(frozen=True)
class WorkloadEndpoints:
    """Where pods go that SDKs know by themselves: origins, empty where there is nothing to add.

    `tokens` is where a pod's own token is exchanged for one that the store takes.
    """

    storage: str = ""
    tokens: str = ""


# What a provider is given where the platform vouches for nobody.
NO_IDENTITY = Identity(registered="", helm="")


class IdentityProof(Protocol):
    """Uses an identity of pods once, from here."""

    def __call__(self, token: Callable[[str], str]) -> Sequence[str]:
        """`token(audience)` gives a fresh token of the identity's service account.

        Returns what was proven, line by line. Raises a `CliError` with the cause.
        """
        ...


@dataclass(frozen=True)
class Acting:
    """What pods act as: the operator and, if nothing else is said, Ray's pods; or these alone.

    `resources` are all that there is to it. The pods run as a service account, whose `annotation`
    names the identity, or to which `bindings` give it where an object of its own does. `prove`
    uses it with a token of that account; None where the platform's API cannot tell.
    """

    resources: tuple[Resource[Any], ...]
    identity: Resource[Identity]
    annotation: str = ""
    prove: IdentityProof | None = None
    bindings: tuple[Resource[Any], ...] = ()

    def annotations(self) -> Mapping[str, str]:
        """What the service account carries. Raises `NotYetKnown` until there is an identity."""
        return {self.annotation: self.identity.output.helm} if self.annotation else {}


@dataclass(frozen=True)
class CloudSide:
    """The objects outside the cluster, and the two that everything else asks for.

    `identity` is None on a platform without workload identity: the operator then signs
    in to the control plane with a token that the core makes (`operator_token.py`).
    `service_account_annotations` go on the operator's ServiceAccount;
    `prove_identity` is None where the platform's API cannot tell. `bindings` are what gives
    the identity to that account where an object of its own does. `pod_variables` are what the
    platform puts into each of the account's pods when it is made: one without them has not
    got the identity, and is made anew (`addons/identified.py`).

    `storage_keys` is for stores without workload identity, and is one of `resources`.
    With it the core owns the Secret of their kind (`credential_kinds.py`), keeps it equal
    to them and to what `storage` says, and brings it to the pods
    (`addons/storage_credentials.py`). Nothing more is asked of the provider: no values,
    no patches. `token_audience` is for a store that knows the pods by a token of their own
    service account: the core brings one for it into each (`addons/storage_token.py`).
    `workloads` is None where Ray's pods have the operator's identity and service account.
    """

    resources: tuple[Resource[Any], ...]
    storage: Resource[Storage]
    identity: Resource[Identity] | None
    service_account_annotations: Callable[[], Mapping[str, str]]
    prove_identity: IdentityProof | None = None
    bindings: tuple[Resource[Any], ...] = ()
    pod_variables: tuple[str, ...] = ()
    storage_keys: KeysResource[Any] | None = None
    token_audience: str = ""
    workloads: Acting | None = None

    @property
    def identity_output(self) -> Identity:
        """The identity; raises `NotYetKnown` until it exists."""
        return NO_IDENTITY if self.identity is None else self.identity.output


def vouched_for(
    storage: Resource[Storage],
    operator: Acting,
    workloads: Acting | None = None,
    pod_variables: tuple[str, ...] = (),
) -> CloudSide:
    """The side of a platform that knows pods by their service accounts."""
    theirs = workloads.resources if workloads else ()
    return CloudSide(
        resources=(storage, *operator.resources, *theirs),
        storage=storage,
        identity=operator.identity,
        service_account_annotations=operator.annotations,
        prove_identity=operator.prove,
        bindings=operator.bindings,
        pod_variables=pod_variables,
        workloads=workloads,
    )


def entered_with(keys: KeysResource[Any], storage: Resource[Storage]) -> CloudSide:
    """The side of a store that pods enter with credentials."""
    return CloudSide(
        resources=(keys, storage),
        storage=storage,
        identity=None,
        service_account_annotations=dict,
        storage_keys=keys,
    )
