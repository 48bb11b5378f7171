"""The objects outside the cluster, put together from spec, cluster and install."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import (
    CloudSide,
    Cluster,
    ControlPlaneFacts,
    Made,
    PolicyDocument,
    Storage,
)
from anyscale_k8s_cli.provider import Identity as ProvenIdentity
from anyscale_k8s_cli.providers.aks import bucket, bucket_access, identity, labels, tags, wording
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.bucket_settings import BucketWishes, told, wanted
from anyscale_k8s_cli.providers.aks.discovery import AksFacts
from anyscale_k8s_cli.providers.aks.proof import Proof
from anyscale_k8s_cli.providers.aks.sdk.storage import Settings
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Identity
from anyscale_k8s_cli.providers.azureblob.trust import Place, document, subject
from anyscale_k8s_cli.resource import NotYetKnown, Resource
from anyscale_k8s_cli.spec import CloudSpec


@dataclass(frozen=True)
class Names:
    """What setup will make: an account and an identity, empty for what the user has already.

    `settings` are the account's, and its tags the identity's too.
    """

    account: str
    identity: str
    settings: Settings = field(default_factory=Settings)


def names(spec: CloudSpec, install: Install) -> Names:
    given, existing = spec.rules.names, spec.existing
    if existing.bucket and existing.identity:
        # Also where no cluster is named, of which tags would tell.
        return Names("", "")
    account = given.get("storage-account") or bucket.default_name(install)
    own = given.get("identity") or identity.default_name(install)
    wishes = BucketWishes(tags.own(install, spec.rules.tags), "", _keys_on(spec))
    return Names(
        "" if existing.bucket else account,
        "" if existing.identity else own,
        wanted(Settings(), wishes),
    )


def _keys_on(spec: CloudSpec) -> bool:
    return spec.rules.azure_shared_key == "on"


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
    return CloudSide(
        resources=(builder.storage, builder.identity, builder.access),
        storage=builder.storage,
        identity=builder.access,
        service_account_annotations=lambda: {
            labels.SERVICE_ACCOUNT_ANNOTATION: builder.access.output.helm
        },
        prove_identity=Proof(
            azure,
            builder.identity_place,
            builder.ends,
            builder.storage,
            builder.bucket_place.container,
            spec.timeouts.identity,
        ),
    )


def makes(install: Install) -> tuple[Made, ...]:
    """What is made for an install that says nothing of names."""
    name = identity.default_name(install)
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
        Made(
            "user-assigned identity, with a federated credential",
            name,
            "the cluster's resource group",
            (f"vouched for by the cluster's issuer: {subject(install.namespace)}",),
            named="identity",
            unless=("existing.identity",),
        ),
        Made(
            "role assignment",
            f"of {name}",
            "the storage account",
            (bucket_access.ROLE_NAME,),
            unless=("existing.bucket existing.identity",),
        ),
    )


def grants(spec: CloudSpec, install: Install, bucket: str) -> Iterator[PolicyDocument]:
    """Who may become the identity, and what it may, before the subscription is known."""
    given = spec.existing
    if not given.identity:
        yield document(
            identity.TRUST_NAME, identity.trust("<the cluster's issuer>", install.namespace)
        )
    if not (given.identity and given.bucket):
        holder, scope = given.identity or "<the identity>", f"storage account {bucket}"
        yield bucket_access.document(bucket_access.ROLE, holder, scope)


def protection(spec: CloudSpec) -> dict[str, str]:
    wishes = BucketWishes({}, "", _keys_on(spec))
    return told(wanted(Settings(), wishes))


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
        given = self._spec.existing.bucket
        if given and (found := wording.bucket_place(given)):
            return found
        name = self._spec.rules.names.get("storage-account")
        return bucket.Place(name or bucket.default_name(self._install), bucket.CONTAINER)

    @cached_property
    def identity_place(self) -> Place:
        given = self._spec.existing.identity
        if given and (found := wording.identity_place(given, self._azure.subscription_id)):
            return found
        name = self._spec.rules.names.get("identity") or identity.default_name(self._install)
        return Place(self._facts.group, name)

    @cached_property
    def storage(self) -> Resource[Storage]:
        place, origin = self.bucket_place, self._plane.cors_origin
        if self._spec.existing.bucket:
            return bucket.AdoptedBucket(self._azure, self._install, place, origin)
        rules = self._spec.rules
        wishes = BucketWishes(
            tags.own(self._install, rules.tags),
            origin,
            _keys_on(self._spec),
            self._dropped,
        )
        group = self._facts.group
        return bucket.Bucket(self._azure, self._install, group, place.account, wishes)

    @cached_property
    def identity(self) -> Resource[Identity]:
        place, issuer = self.identity_place, self._facts.issuer
        if self._spec.existing.identity:
            return identity.AdoptedIdentity(self._azure, self._install, place, issuer)
        return identity.OperatorIdentity(
            self._azure, self._install, place, issuer, self._spec.rules.tags, self._dropped
        )

    @cached_property
    def ends(self) -> bucket_access.Ends:
        return bucket_access.Ends(
            self.bucket_place.account, self.identity, self._scope, self._audience
        )

    @cached_property
    def access(self) -> Resource[ProvenIdentity]:
        needs: tuple[Resource[Any], ...] = (self.storage, self.identity)
        if self._spec.existing.bucket and self._spec.existing.identity:
            container = self.bucket_place.container
            return bucket_access.AdoptedAccess(
                self._azure, self._install, self.ends, container, needs=needs
            )
        return bucket_access.BucketAccess(
            self._azure,
            self._install,
            self.ends,
            patience=self._spec.timeouts.identity,
            needs=needs,
        )

    def _scope(self) -> str:
        if self.storage.observed is None:
            raise NotYetKnown(self.storage)
        return self.storage.observed.id
