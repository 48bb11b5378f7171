"""What is an install's own in the subscription, for teardown with no ledger and no cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.aks import bucket, bucket_access, identity, tags
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.bucket_settings import BucketWishes
from anyscale_k8s_cli.providers.aks.sdk.roles import Assignment
from anyscale_k8s_cli.providers.aks.sdk.storage import Account
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Identity
from anyscale_k8s_cli.providers.azureblob.trust import Place
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.spec import TimeoutsSpec

_PATIENCE = TimeoutsSpec().identity


def find_owned(azure: Azure, install: Install) -> list[Resource[Any]]:
    """The account, the identity and its roles, by usual names and by locators."""
    account, own = side_by_side(lambda: _account(azure, install), lambda: _identity(azure, install))
    found: list[Resource[Any]] = []
    place = Place(tags.group_of(install), identity.default_name(install))
    if own is not None:
        place = Place(own.group, own.name)
    user = identity.OperatorIdentity(azure, install, place, "", {})
    user.observed = user.read() if own is not None else None
    if own is not None:
        found.append(user)
    if account is not None:
        wishes = BucketWishes({}, "", shared_key=True)
        found.append(bucket.Bucket(azure, install, account.group, account.name, wishes))
    found += [
        _access(azure, install, user, scope, needs=tuple(found))
        for scope in _scopes(azure, account, own)
    ]
    return found


def _access(
    azure: Azure,
    install: Install,
    user: Resource[Identity],
    scope: str,
    needs: tuple[Resource[Any], ...],
) -> Resource[Any]:
    ends = bucket_access.Ends(scope.rpartition("/")[2], user, lambda: scope, lambda: "")
    return bucket_access.BucketAccess(azure, install, ends, patience=_PATIENCE, needs=needs)


def _scopes(azure: Azure, account: Account | None, own: Identity | None) -> list[str]:
    """The accounts on which the identity has roles: ours, and one that the user brought."""
    scopes = {account.id.lower()} if account is not None else set()
    if own is not None:
        scopes |= {
            item.scope
            for item in _held(azure, own)
            if item.role == bucket_access.ROLE and "/storageaccounts/" in item.scope
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


def _identity(azure: Azure, install: Install) -> Identity | None:
    """The install's identity: the usual one, else that with its locator."""
    usual = azure.identities.get(tags.group_of(install), identity.default_name(install))
    if usual is not None and _is_of(install, usual.tags, azure):
        return usual
    tagged = (item for item in azure.identities.all() if _is_of(install, item.tags, azure))
    return next(tagged, None)


def _is_of(install: Install, found: Mapping[str, str], azure: Azure) -> bool:
    owner = tags.owner(found, azure.subscription_id)
    return owner is not None and owner.id == install.id
