"""The objects outside the cluster, put together from spec, cluster and install."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from anyscale_k8s_cli.cloud_side import Acting, CloudSide, Storage, vouched_for
from anyscale_k8s_cli.cloud_side import Identity as ProvenIdentity
from anyscale_k8s_cli.holders import OPERATOR, WORKLOADS, Holder
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Cluster, ControlPlaneFacts, Made, PolicyDocument
from anyscale_k8s_cli.providers.aks import (
    bucket,
    bucket_access,
    encryption_key,
    identity,
    labels,
    tags,
    wording,
)
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.bucket_settings import BucketWishes, told, wanted
from anyscale_k8s_cli.providers.aks.discovery import AksFacts
from anyscale_k8s_cli.providers.aks.proof import Proof
from anyscale_k8s_cli.providers.aks.sdk.storage import Settings
from anyscale_k8s_cli.providers.aks.storage_role import ROLE, ROLE_NAME, StorageRole
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Identity
from anyscale_k8s_cli.providers.azureblob.trust import Place, document
from anyscale_k8s_cli.resource import NO_TAGS, NotYetKnown, Resource
from anyscale_k8s_cli.spec import CloudSpec

# Where Ray's pods have the operator's identity.
_SAME = "identity.workloads=same"


@dataclass(frozen=True)
class Names:
    """What setup will make: an account and an identity, empty for what the user has already.

    `workload_identity` is empty also where Ray's pods have none of their own. `settings` are
    the account's, and its tags the identities' too.
    """

    account: str
    identity: str
    settings: Settings = field(default_factory=Settings)
    workload_identity: str = ""

    @property
    def identities(self) -> tuple[str, ...]:
        return tuple(name for name in (self.identity, self.workload_identity) if name)


def names(spec: CloudSpec, install: Install) -> Names:
    given, existing, separate = spec.rules.names, spec.existing, spec.identity.separate
    if existing.bucket and existing.identity and not separate:
        # Also where no cluster is named, of which tags would tell.
        return Names("", "")
    account = given.get("storage-account") or bucket.default_name(install)
    wishes = _wishes(spec, tags.own(install, spec.rules.tags))
    return Names(
        "" if existing.bucket else account,
        "" if existing.identity else _identity_name(spec, install),
        wanted(Settings(), wishes),
        _identity_name(spec, install, WORKLOADS) if separate else "",
    )


def _identity_name(spec: CloudSpec, install: Install, holder: Holder = OPERATOR) -> str:
    given = spec.rules.names.get(holder.named("identity"))
    return given or identity.default_name(install, holder)


def _wishes(
    spec: CloudSpec,
    own_tags: Mapping[str, str],
    origin: str = "",
    dropped: Mapping[str, str] = NO_TAGS,
) -> BucketWishes:
    rules = spec.rules
    key = encryption_key.key_name(rules.kms_key or "")
    return BucketWishes(
        own_tags,
        origin,
        rules.azure_shared_key == "on",
        dropped,
        kms_key=str(key) if key else "",
        kms_identity=(rules.kms_identity or "").lower(),
    )


def build(
    azure: Azure,
    spec: CloudSpec,
    cluster: Cluster,
    install: Install,
    plane: ControlPlaneFacts,
    dropped_tags: Mapping[str, str],
) -> CloudSide:
    """What should be there. Nothing is asked of Azure yet."""
    builder = _Builder(azure, spec, cluster, install, plane, dropped_tags)
    workloads = builder.acting(WORKLOADS) if spec.identity.separate else None
    return vouched_for(builder.storage, builder.acting(OPERATOR), workloads)


def makes(install: Install) -> tuple[Made, ...]:
    """What is made for an install that says nothing of names."""
    return (
        Made(
            "storage account",
            bucket.default_name(install),
            "the cluster's resource group and region",
            (f"container {bucket.CONTAINER}",),
            named="storage-account",
            unless=("existing.bucket",),
            data=True,
        ),
        *_made(install, OPERATOR, "", "the storage account"),
        *_made(install, WORKLOADS, " of Ray's pods", "the container"),
    )


def _made(install: Install, holder: Holder, whose: str, scope: str) -> Iterator[Made]:
    name, own = identity.default_name(install, holder), holder is OPERATOR
    given = "existing.identity" if own else _SAME
    yield Made(
        f"user-assigned identity{whose}, with a federated credential",
        name,
        "the cluster's resource group",
        (f"vouched for by the cluster's issuer: {holder.subject(install.namespace)}",),
        named=holder.named("identity"),
        unless=(given,),
    )
    yield Made(
        "role assignment",
        f"of {name}",
        scope,
        (ROLE_NAME,),
        unless=("existing.bucket existing.identity",) if own else (_SAME,),
    )


def grants(spec: CloudSpec, install: Install, bucket: str) -> Iterator[PolicyDocument]:
    """Who may become the identities, and what they may, before the subscription is known."""
    given, account = spec.existing, f"storage account {bucket}"
    role = spec.rules.storage_role or ROLE
    if not given.identity:
        yield _trust(install, OPERATOR)
    if not (given.identity and given.bucket):
        holder = given.identity or "<the identity>"
        yield bucket_access.document(role, holder, account)
    if spec.identity.separate:
        yield _trust(install, WORKLOADS)
        yield bucket_access.document(
            role,
            "<the workloads' identity>",
            f"container {_bucket_place(spec, install).container} of {account}",
        )


def _trust(install: Install, holder: Holder) -> PolicyDocument:
    wanted = identity.trust("<the cluster's issuer>", install.namespace, holder)
    return document(holder.account, wanted)


def _bucket_place(spec: CloudSpec, install: Install) -> bucket.Place:
    given = spec.existing.bucket
    if given and (found := wording.bucket_place(given)):
        return found
    name = spec.rules.names.get("storage-account")
    return bucket.Place(name or bucket.default_name(install), bucket.CONTAINER)


def protection(spec: CloudSpec) -> dict[str, str]:
    return told(wanted(Settings(), _wishes(spec, {})))


class _Builder:
    """Makes each object once; they know each other by their names."""

    def __init__(
        self,
        azure: Azure,
        spec: CloudSpec,
        cluster: Cluster,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str],
    ) -> None:
        self._azure = azure
        self._spec = spec
        self._install = install
        self._plane = plane
        self._dropped = dropped_tags
        self._facts: AksFacts = cluster.facts
        self._audience = plane.azure_audience

    @cached_property
    def bucket_place(self) -> bucket.Place:
        return _bucket_place(self._spec, self._install)

    @cached_property
    def storage(self) -> Resource[Storage]:
        place, origin = self.bucket_place, self._plane.cors_origin
        if self._spec.existing.bucket:
            return bucket.AdoptedBucket(self._azure, self._install, place, origin)
        own = tags.own(self._install, self._spec.rules.tags)
        wishes = _wishes(self._spec, own, origin, self._dropped)
        group = self._facts.group
        return bucket.Bucket(self._azure, self._install, group, place.account, wishes)

    @cached_property
    def _role(self) -> StorageRole:
        return StorageRole(self._azure, self._facts.group, self._spec.rules.storage_role)

    def acting(self, holder: Holder) -> Acting:
        own = holder is OPERATOR
        found, place = self._identity(holder)
        ends = bucket_access.Ends(
            self.bucket_place.account,
            found,
            self._account_id,
            self._audience if own else str,
            self._role,
            "" if own else self.bucket_place.container,
        )
        patience, container = self._spec.timeouts.identity, self.bucket_place.container
        proof = Proof(self._azure, place, ends, self.storage, container, patience, holder)
        access = self._access(ends, found, holder)
        return Acting((found, access), access, labels.SERVICE_ACCOUNT_ANNOTATION, proof)

    def _identity(self, holder: Holder) -> tuple[Resource[Identity], Place]:
        given, issuer = self._spec.existing.identity, self._facts.issuer
        if holder is OPERATOR and given:
            where = wording.identity_place(given, self._azure.subscription_id)
            if where is not None:
                adopted = identity.AdoptedIdentity(self._azure, self._install, where, issuer)
                return adopted, where
        place = Place(self._facts.group, _identity_name(self._spec, self._install, holder))
        kind = identity.ManagedIdentity if holder is OPERATOR else identity.WorkloadsIdentity
        wishes = identity.IdentityWishes(issuer, self._spec.rules.tags, self._dropped, holder)
        return kind(self._azure, self._install, place, wishes), place

    def _access(
        self, ends: bucket_access.Ends, found: Resource[Identity], holder: Holder
    ) -> Resource[ProvenIdentity]:
        needs: tuple[Resource[Any], ...] = (self.storage, found)
        existing = self._spec.existing
        if holder is OPERATOR and existing.bucket and existing.identity:
            container = self.bucket_place.container
            return bucket_access.AdoptedAccess(
                self._azure, self._install, ends, container, needs=needs
            )
        return bucket_access.BucketAccess(
            self._azure,
            self._install,
            ends,
            patience=self._spec.timeouts.identity,
            needs=needs,
        )

    def _account_id(self) -> str:
        if self.storage.observed is None:
            raise NotYetKnown(self.storage)
        return self.storage.observed.id
