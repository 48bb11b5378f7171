"""What is an install's own in the subscription, for teardown with no ledger and no cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import HOLDERS, OPERATOR, WORKLOADS
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.aks import bucket, bucket_access, identity, tags
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.bucket_settings import BucketWishes
from anyscale_k8s_cli.providers.aks.sdk.roles import Assignment
from anyscale_k8s_cli.providers.aks.sdk.storage import Account
from anyscale_k8s_cli.providers.aks.storage_role import ROLE, StorageRole
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Identity
from anyscale_k8s_cli.providers.azureblob.trust import Place
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.spec import TimeoutsSpec

_PATIENCE = TimeoutsSpec().identity


def find_owned(azure: Azure, install: Install) -> list[Resource[Any]]:
    """The account, the identities and their roles, by usual names and by locators."""
    account, own = side_by_side(
        lambda: _account(azure, install), lambda: _identities(azure, install)
    )
    users = [_as_found(azure, install, item.group, item.name) for item in own]
    for user in users:
        user.observed = user.read()
    found: list[Resource[Any]] = [*users]
    if account is not None:
        wishes = BucketWishes({}, "", shared_key=True)
        found.append(bucket.Bucket(azure, install, account.group, account.name, wishes))
    roles = [
        _access(azure, install, user, scope, needs=tuple(found))
        for user, item in zip(users, own, strict=True)
        for scope in _scopes(azure, install, item)
    ]
    if account is not None:
        roles += _left(azure, install, account, roles, tuple(found))
    return [*found, *roles]


def _as_found(azure: Azure, install: Install, group: str, name: str) -> Resource[Identity]:
    """Here nothing is changed, only removed: whose it is does not matter any more."""
    wishes = identity.IdentityWishes("", {})
    return identity.ManagedIdentity(azure, install, Place(group, name), wishes)


def _access(
    azure: Azure,
    install: Install,
    user: Resource[Identity],
    scope: str,
    needs: tuple[Resource[Any], ...],
) -> bucket_access.BucketAccess:
    account, _, within = scope.partition(bucket_access.container_id("", "").lower())
    role, name = StorageRole(azure, tags.group_of(install)), account.rpartition("/")[2]
    ends = bucket_access.Ends(name, user, lambda: account, lambda: "", role, within)
    return bucket_access.BucketAccess(azure, install, ends, patience=_PATIENCE, needs=needs)


def _left(
    azure: Azure,
    install: Install,
    account: Account,
    known: Sequence[bucket_access.BucketAccess],
    needs: tuple[Resource[Any], ...],
) -> Iterator[bucket_access.BucketAccess]:
    """Roles on the install's account of identities that are gone."""
    group, whole = tags.group_of(install), account.id.lower()
    scopes = {OPERATOR: whole, WORKLOADS: bucket_access.container_id(whole, bucket.CONTAINER)}
    covered = {item.scope for item in known}
    for holder, scope in scopes.items():
        user = _as_found(azure, install, group, identity.default_name(install, holder))
        role = _access(azure, install, user, scope.lower(), needs)
        if role.scope not in covered and role.read() is not None:
            yield role


def _scopes(azure: Azure, install: Install, own: Identity) -> list[str]:
    """Where an identity has roles: accounts and containers, also those that the user brought."""
    scopes = {
        item.scope
        for item in _held(azure, own)
        if "/storageaccounts/" in item.scope
        and (item.role == ROLE or item.description == tags.description(install))
    }
    return sorted(scopes)


def _held(azure: Azure, own: Identity) -> list[Assignment]:
    """In the whole subscription, else where one may look: in the identity's own group."""
    subscription = f"/subscriptions/{azure.subscription_id}"
    try:
        return azure.roles.held(subscription, own.principal_id)
    except CloudFailure as failure:
        if not failure.denied:
            raise
        return azure.roles.held(f"{subscription}/resourceGroups/{own.group}", own.principal_id)


def _account(azure: Azure, install: Install) -> Account | None:
    """The install's account: the usual one, else that with its locator."""
    usual = azure.storage.account(tags.group_of(install), bucket.default_name(install))
    if usual is not None and _is_of(install, usual.settings.tags, azure):
        return usual
    tagged = (
        item for item in azure.storage.accounts() if _is_of(install, item.settings.tags, azure)
    )
    return next(tagged, None)


def _identities(azure: Azure, install: Install) -> list[Identity]:
    """The install's identities: of the usual names, and others with its locator.

    One is mostly all there is, which only a look at all of the subscription's can tell: who may
    not look there goes on with what was found.
    """

    def ours(found: Iterable[Identity | None]) -> dict[str, Identity]:
        return {
            item.id.lower(): item
            for item in found
            if item is not None and _is_of(install, item.tags, azure)
        }

    group = tags.group_of(install)
    names = (identity.default_name(install, holder) for holder in HOLDERS)
    usual = ours(side_by_side(*(partial(azure.identities.get, group, name) for name in names)))
    if len(usual) == len(HOLDERS):
        return list(usual.values())
    try:
        return list({**usual, **ours(azure.identities.all())}.values())
    except CloudFailure as failure:
        if not (usual and failure.denied):
            raise
        return list(usual.values())


def _is_of(install: Install, found: Mapping[str, str], azure: Azure) -> bool:
    owner = tags.owner(found, azure.subscription_id)
    return owner is not None and owner.id == install.id
