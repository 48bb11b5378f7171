"""What is an install's own in the project, for teardown with no ledger and no cluster."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import HOLDERS, OPERATOR, WORKLOADS, Holder
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.gcs import bucket
from anyscale_k8s_cli.providers.gcs.bucket_settings import BucketWishes
from anyscale_k8s_cli.providers.gke import bucket_access, identity, tags
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.providers.gke.sdk.iam import ServiceAccount
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.spec import TimeoutsSpec

_PATIENCE = TimeoutsSpec().identity
_NO_WISHES = BucketWishes({}, "", None)


def find_owned(google: Google, install: Install) -> list[Resource[Any]]:
    """The bucket, the accounts and their roles on it, by usual names and by locators."""
    name, ids = side_by_side(
        lambda: bucket.of_install(google, install, install.region),
        lambda: _accounts(google, install),
    )
    found: list[Resource[Any]] = [_as_found(google, install, item) for item in ids]
    if name:
        storage = bucket.Bucket(google, install, name, _NO_WISHES, location=install.region)
        found.append(storage)
        # Also when an account is gone, for what is left of it in the bucket's policy.
        usual = [identity.default_id(install, holder) for holder in HOLDERS]
        for last_id in dict.fromkeys([*ids, *filter(None, usual)]):
            member = bucket_access.Member(google.email(last_id), _holder(install, last_id))
            access = bucket_access.BucketAccess(
                google, install, storage, member, _PATIENCE, needs=tuple(found)
            )
            if last_id in ids or access.read() is not None:
                found.append(access)
    return found


def _holder(install: Install, account_id: str) -> Holder:
    """Who acts as it, as far as its name tells: it only says what it is called here."""
    return WORKLOADS if account_id == identity.default_id(install, WORKLOADS) else OPERATOR


def _as_found(google: Google, install: Install, account_id: str) -> Resource[Any]:
    """Here nothing is changed, only removed: whose it is does not matter any more."""
    return identity.PodAccount(google, install, identity.AccountWishes(account_id, "", _PATIENCE))


def _accounts(google: Google, install: Install) -> list[str]:
    """The ids of the install's accounts: of the usual names, and others with its locator.

    One is mostly all there is, which only a look at all of the project's can tell: who may not
    look there goes on with what was found.
    """

    def ours(found: Iterable[ServiceAccount | None]) -> list[str]:
        owned = {
            account.email.partition("@")[0]: tags.owner_by_description(
                account.description, google.project
            )
            for account in found
            if account is not None
        }
        return [name for name, owner in owned.items() if owner and owner.id == install.id]

    names = filter(None, (identity.default_id(install, holder) for holder in HOLDERS))
    usual = ours(side_by_side(*(partial(google.iam.account, google.email(name)) for name in names)))
    if len(usual) == len(HOLDERS):
        return usual
    try:
        return list(dict.fromkeys([*usual, *ours(google.iam.accounts())]))
    except CloudFailure as failure:
        if not (usual and failure.denied):
            raise
        return usual
