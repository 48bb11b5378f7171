"""A container of Azure's that pods reach as an identity of Entra's: no secret is anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from anyscale_k8s_cli.cloud_side import IdentityProof
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed, Issuer
from anyscale_k8s_cli.credential_kinds import EntraIdentity
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import OPERATOR
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.azureblob import trust
from anyscale_k8s_cli.providers.azureblob.keyed import KeyedAccount
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Identities, Trust
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session
from anyscale_k8s_cli.providers.azureblob.trust import Place, place_of
from anyscale_k8s_cli.providers.federation import entra
from anyscale_k8s_cli.providers.federation.identity import FederatedIdentity
from anyscale_k8s_cli.providers.federation.proof import SETTLED_WITHIN, TokenProof, denied_to
from anyscale_k8s_cli.resource import Observed, Unfit
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, ExistingSpec
from anyscale_k8s_cli.storage_keys import AdoptedKeys

AUTHORITY = "AZURE_AUTHORITY_HOST"
# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
_NAME_LIMIT = 120
_ROLE = "; or name the identity by its client id, and its tenant with --identity-provider"


def wrong_words(existing: ExistingSpec) -> Iterator[str]:
    """What cannot lead to an identity, a line each."""
    identity, tenant = existing.identity, existing.identity_provider
    if tenant and not entra.ID.fullmatch(tenant):
        yield f"--identity-provider: {tenant!r} is not the id of a directory (tenant) of Entra's"
    if not identity:
        if tenant:
            yield "--identity-provider: which identity of the tenant's is meant? Say --identity"
    elif place_of(identity):
        if tenant:
            yield "--identity-provider: a managed identity tells its tenant; leave it out"
    elif not entra.ID.fullmatch(identity):
        yield (
            f"--identity: {identity!r} is neither the client id of an application or managed "
            "identity, nor the resource id of a user-assigned one"
        )
    elif not tenant:
        yield "--identity: a client id alone is not enough; name its tenant: --identity-provider"


@dataclass(frozen=True)
class EntraAccess:
    """An identity that was said, and what it is to trust. `issuer` asks the cluster."""

    run: Run
    spec: CloudSpec
    install: Install
    issuer: Callable[[], Issuer]

    @property
    def audience(self) -> str:
        return self.spec.existing.identity_audience or entra.DEFAULT_AUDIENCE

    @property
    def place(self) -> Place | None:
        """Where a managed identity is; None for one that was said by its client id."""
        return place_of(self._identity)

    @property
    def credential_name(self) -> str:
        """Of a credential that its owner would add; other clusters' have other names."""
        return self.install.name(limit=_NAME_LIMIT)

    @cached_property
    def keys(self) -> AdoptedKeys[EntraIdentity]:
        if self.place is not None:
            return ManagedIdentity(self, self.place)
        tenant = self.spec.existing.identity_provider or ""
        access = EntraIdentity(tenant, self._identity, authority())
        return FederatedIdentity(self.install, access, f"identity {self._identity} of Entra's")

    def trust(self) -> Trust:
        subject = OPERATOR.subject(self.install.namespace)
        return Trust(self.issuer().url, subject, (self.audience,))

    def proof(self, azure: KeyedAccount, container: str) -> IdentityProof:
        """The exchange, and the container used with what comes of it."""

        def prove(token: Callable[[str], str]) -> Sequence[str]:
            # Who it is, is known by now.
            return self._proof(self.keys.output, azure, container)(token)

        return prove

    def _proof(
        self, access: EntraIdentity, azure: KeyedAccount, container: str
    ) -> TokenProof[object]:
        patience = min(SETTLED_WITHIN, self.spec.timeouts.identity)
        bucket = azure.account.url(container)
        exchange = entra.EntraExchange(
            Session(self.run), access, self.audience, self.credential_name, self.place
        )

        def use(credential: object, _: Claimed) -> None:
            denied = denied_to(exchange.identity, bucket, azure.grant(access.client))
            azure.prove_as(credential, container, patience, denied)

        return TokenProof(self.run, self.audience, exchange, bucket, use, patience)

    @property
    def _identity(self) -> str:
        return self.spec.existing.identity or ""


class ManagedIdentity(AdoptedKeys[EntraIdentity]):
    """The user's own, by its resource id: it tells who it is, and whose tokens it takes."""

    kind: ClassVar[str] = FederatedIdentity.kind
    credentials = EntraIdentity

    def __init__(self, access: EntraAccess, place: Place) -> None:
        parts = (place.subscription, place.group, place.name)
        super().__init__(
            key=f"{self.kind}/{'/'.join(parts).lower()}",
            title=f"managed identity {place.name}",
            install=access.install,
        )
        self._access = access
        self._place = place
        session = Session(access.run, place.subscription, role=_ROLE)
        self._identities = Identities(session)

    def read(self) -> Observed[EntraIdentity] | None:
        group, name = self._place.group, self._place.name
        found, unfit = side_by_side(lambda: self._identities.get(group, name), self._lacking)
        if found is None:
            return None
        access = EntraIdentity(found.tenant_id, found.client_id, authority())
        return Observed(id=found.id.lower(), output=access, unfit=unfit)

    def _lacking(self) -> tuple[Unfit, ...]:
        try:
            trusts = self._identities.trusts(self._place.group, self._place.name)
        except CloudFailure as failure:
            if not failure.denied:
                raise
            # Who may not look does not know; the proof by use will tell.
            return ()
        access = self._access
        return trust.lacking(self._place, trusts, access.trust(), access.credential_name)


def authority() -> str:
    """Where Entra is, as Azure's SDKs are told it; empty in the public cloud."""
    return os.environ.get(AUTHORITY, "")
