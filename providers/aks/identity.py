"""The managed identity of pods: one that we make for them, or one that the user has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import OPERATOR, Holder
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.aks import tags
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.azureblob.sdk.failures import BUSY
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Identity, Trust
from anyscale_k8s_cli.providers.azureblob.trust import Place, document, lacking
from anyscale_k8s_cli.resource import (
    OR_IDENTITY,
    OTHER_NAME,
    AdoptedResource,
    FieldChange,
    Observed,
    Resource,
    Unfit,
    differences,
    with_pairs,
)

# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
NAME_LIMIT = 128
SETTLE_SECONDS = 60.0
_TRUST_FIELD = "whose tokens it trusts"


def default_name(install: Install, holder: Holder = OPERATOR) -> str:
    return install.name(limit=NAME_LIMIT, suffix=f"-{holder.what}")


def key(name: str) -> str:
    return f"azure:managed-identity/{name}"


def title(name: str) -> str:
    return f"managed identity {name}"


def trust(issuer: str, namespace: str, holder: Holder = OPERATOR) -> Trust:
    """The pods' own tokens. The issuer is compared letter by letter, its slash too."""
    return Trust(issuer, holder.subject(namespace))


@dataclass(frozen=True)
class IdentityWishes:
    """What an identity should be, and whose. The credential has the name of the account."""

    issuer: str
    tags: Mapping[str, str]
    dropped_tags: Mapping[str, str] = field(default_factory=dict)
    holder: Holder = OPERATOR


@dataclass(frozen=True)
class IdentityState:
    identity: Identity
    trusts: Mapping[str, Trust]


class ManagedIdentity(Resource[Identity]):
    """Ours, found by name and locator; what it trusts is a part of it."""

    kind: ClassVar[str] = "managed-identity"
    way_around: ClassVar[str] = OR_IDENTITY

    def __init__(
        self,
        azure: Azure,
        install: Install,
        place: Place,
        wishes: IdentityWishes,
    ) -> None:
        super().__init__(key=key(place.name), title=title(place.name), install=install)
        self._azure = azure
        self.place = place
        self._holder = wishes.holder
        self._trust = trust(wishes.issuer, install.namespace, wishes.holder)
        self._tags = tags.own(install, wishes.tags)
        self._dropped = wishes.dropped_tags

    def read(self) -> Observed[Identity] | None:
        group, name = self.place.group, self.place.name
        identity, trusts = side_by_side(
            lambda: self._azure.identities.get(group, name),
            lambda: self._azure.identities.trusts(group, name),
        )
        if identity is None:
            return None
        return Observed(
            id=identity.id.lower(),
            output=identity,
            owner=tags.owner(identity.tags, self._azure.subscription_id),
            state=IdentityState(identity, trusts),
        )

    def diff(self, observed: Observed[Identity]) -> Sequence[FieldChange]:
        state: IdentityState = observed.state
        changes = differences("tag", state.identity.tags, self._tags, self._dropped)
        found = state.trusts.get(self._holder.account)
        if found != self._trust:
            old = f"{found.subject} of {found.issuer}" if found else "nobody's"
            new = f"{self._trust.subject} of {self._trust.issuer}"
            changes.append(FieldChange(_TRUST_FIELD, old, new))
        return changes

    def create(self) -> Observed[Identity]:
        found = self.read()
        if found is None:
            self._put({})
            found = self._settled()
        if found.owner is None or found.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The managed identity name {self.place.name} is taken",
                cause=f"{found.id} is not ours",
                fix=self._holder.past("identity", found.id),
            )
        return self.update(found, self.diff(found))

    def update(
        self, observed: Observed[Identity], changes: Sequence[FieldChange]
    ) -> Observed[Identity]:
        if not changes:
            return observed
        state: IdentityState = observed.state
        fields = {change.field for change in changes}
        if fields - {_TRUST_FIELD}:
            self._put(state.identity.tags)
        if _TRUST_FIELD in fields:
            self._azure.run.retry(
                self._put_trust, retriable=_busy, what=self.title, timeout=SETTLE_SECONDS
            )
        return self._settled()

    def delete(self, observed: Observed[Identity]) -> None:
        self._azure.identities.delete(self.place.group, self.place.name)
        self._azure.run.wait_gone(
            lambda: self._azure.identities.get(self.place.group, self.place.name),
            by="Azure",
            what=self.title,
            timeout=SETTLE_SECONDS,
        )

    def ready(self, observed: Observed[Identity]) -> Observed[Identity]:
        """It is proven by use, once there is a token to use it with."""
        return observed

    def grants(self, observed: Observed[Identity]) -> Sequence[PolicyDocument]:
        """All of its credentials: whoever else may become it, too."""
        state: IdentityState = observed.state
        return tuple(document(name, found) for name, found in sorted(state.trusts.items()))

    def _put(self, found: Mapping[str, str]) -> None:
        self._azure.identities.put(
            self.place.group,
            self.place.name,
            self.install.region,
            with_pairs(found, self._tags, self._dropped),
        )

    def _put_trust(self) -> None:
        self._azure.identities.put_trust(
            self.place.group, self.place.name, self._holder.account, self._trust
        )

    def _settled(self) -> Observed[Identity]:
        return self._azure.run.wait_shown(
            self.read, by="Azure", what=self.title, timeout=SETTLE_SECONDS
        )


class WorkloadsIdentity(ManagedIdentity):
    """Of Ray's pods, where they have one of their own: no option names one to use instead."""

    way_around: ClassVar[str] = OTHER_NAME


class AdoptedIdentity(AdoptedResource[Identity]):
    """The user's own."""

    kind: ClassVar[str] = "managed-identity"

    def __init__(self, azure: Azure, install: Install, place: Place, issuer: str) -> None:
        super().__init__(key=key(place.name), title=title(place.name), install=install)
        self._azure = azure
        self.place = place
        self._issuer = issuer
        self._trust = trust(issuer, install.namespace)

    def read(self) -> Observed[Identity] | None:
        group, name = self.place.group, self.place.name
        identity = self._azure.identities.get(group, name)
        if identity is None:
            return None
        if not self._issuer:
            return self._observed(identity, ())  # whom it should admit is known with the cluster
        try:
            trusts = self._azure.identities.trusts(group, name)
        except CloudFailure as failure:
            if not failure.denied:
                raise
            # Who may not look does not know; the proof by use will tell.
            return self._observed(identity, ())
        return self._observed(identity, lacking(self.place, trusts, self._trust, OPERATOR.account))

    def _observed(self, identity: Identity, unfit: tuple[Unfit, ...]) -> Observed[Identity]:
        return Observed(id=identity.id.lower(), output=identity, unfit=unfit)


def _busy(problem: BaseException) -> bool:
    return isinstance(problem, CloudFailure) and problem.api_code in BUSY
