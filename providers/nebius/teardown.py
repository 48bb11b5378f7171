"""What is an install's own in the project, for teardown with no ledger and no cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from anyscale_k8s_cli.install import Install, has_labels_of
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.nebius import bucket, bucket_access, identity, keys, tags
from anyscale_k8s_cli.providers.nebius.bucket import Bucket
from anyscale_k8s_cli.providers.nebius.bucket_access import BucketAccess
from anyscale_k8s_cli.providers.nebius.bucket_settings import BucketWishes
from anyscale_k8s_cli.providers.nebius.identity import OperatorAccount
from anyscale_k8s_cli.providers.nebius.keys import NebiusKeys
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.storage_keys import IssuedKeys

T = TypeVar("T")

_NO_WISHES = BucketWishes(tags.NO_LABELS, "")


def find_owned(nebius: Nebius, install: Install) -> list[Resource[Any]]:
    """Bucket, account with its keys, and group, by usual names and else by labels."""
    storage_name, account_name, group_name = side_by_side(
        lambda: _bucket(nebius, install),
        lambda: _account(nebius, install),
        lambda: _group(nebius, install),
    )
    usual = bucket.default_name(install)
    storage = Bucket(nebius, install, storage_name or usual, _NO_WISHES)
    account = OperatorAccount(
        nebius, install, account_name or identity.default_name(install), labels=tags.NO_LABELS
    )
    access = BucketAccess(nebius, install, group_name, tags.NO_LABELS, storage, account)
    issuer = NebiusKeys(nebius, install, account, storage.name, {})
    issued = IssuedKeys(install, issuer, key=keys.key(install), needs=(account, access))
    present: Mapping[Resource[Any], str] = {
        storage: storage_name,
        account: account_name,
        access: group_name,
        # Keys of an account that the user lent are found by the account's owner alone.
        issued: account_name,
    }
    return [resource for resource, there in present.items() if there]


def _bucket(nebius: Nebius, install: Install) -> str:
    usual = nebius.storage.state(bucket.default_name(install))
    return _name(
        install,
        usual,
        nebius.storage.states,
        lambda item: item.settings.labels,
        lambda item: item.name,
    )


def _account(nebius: Nebius, install: Install) -> str:
    usual = nebius.iam.account(identity.default_name(install))
    return _name(
        install, usual, nebius.iam.accounts, lambda item: item.labels, lambda item: item.name
    )


def _group(nebius: Nebius, install: Install) -> str:
    usual = nebius.iam.group(bucket_access.default_name(install))
    return _name(
        install, usual, nebius.iam.groups, lambda item: item.labels, lambda item: item.name
    )


def _name(
    install: Install,
    usual: T | None,
    everything: Callable[[], Iterable[T]],
    labels: Callable[[T], Mapping[str, str]],
    name: Callable[[T], str],
) -> str:
    """The name of what is the install's: the usual one, else that with its labels; else empty."""
    if usual is not None and has_labels_of(labels(usual), install):
        return name(usual)
    return next((name(item) for item in everything() if has_labels_of(labels(item), install)), "")
