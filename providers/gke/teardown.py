"""What is an install's own in the project, for teardown with no ledger and no cluster."""

from __future__ import annotations

import itertools
from typing import Any

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.gcs import bucket
from anyscale_k8s_cli.providers.gcs.bucket_settings import BucketWishes
from anyscale_k8s_cli.providers.gke import bucket_access, identity, tags
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.spec import TimeoutsSpec

_PATIENCE = TimeoutsSpec().identity
_NO_WISHES = BucketWishes({}, "", None)


def find_owned(google: Google, install: Install) -> list[Resource[Any]]:
    """The bucket, the account and its roles on the bucket, by usual names and by locators."""
    name, account_id = side_by_side(
        lambda: bucket.of_install(google, install, install.region),
        lambda: _account(google, install),
    )
    found: list[Resource[Any]] = []
    if account_id:
        found.append(identity.OperatorAccount(google, install, account_id, "", _PATIENCE))
    if name:
        storage = bucket.Bucket(google, install, name, _NO_WISHES, location=install.region)
        found.append(storage)
        # Also when the account is gone, for what is left of it in the bucket's policy.
        if last_id := account_id or identity.default_id(install):
            email = google.email(last_id)
            found.append(
                bucket_access.BucketAccess(
                    google, install, storage, email, _PATIENCE, needs=tuple(found)
                )
            )
    return found


def _account(google: Google, install: Install) -> str:
    """The id of the install's account: the usual one, else that with its locator."""
    usual_id = identity.default_id(install)
    usual = google.iam.account(google.email(usual_id)) if usual_id else None
    candidates = itertools.chain([usual] if usual else [], google.iam.accounts())
    for account in candidates:
        owner = tags.owner_by_description(account.description, google.project)
        if owner is not None and owner.id == install.id:
            return account.email.partition("@")[0]
    return ""
