"""What is an install's own in the tenancy, for teardown with no ledger and no cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.oke import bucket, keys, named, tags
from anyscale_k8s_cli.providers.oke.bucket import Bucket
from anyscale_k8s_cli.providers.oke.bucket_access import BucketPolicy
from anyscale_k8s_cli.providers.oke.identity import AdoptedUser, Group, User
from anyscale_k8s_cli.providers.oke.keys import SecretKeys
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk.identity import Named
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.storage_keys import IssuedKeys


def find_owned(oracle: Oracle, install: Install) -> list[Resource[Any]]:
    """Bucket, user with its keys, group and policy, by usual names and else by tags."""
    identity, usual = oracle.identity, named.default_name(install)
    storage_name, user, group, policy = side_by_side(
        lambda: _bucket(oracle, install),
        lambda: _ours(install, identity.user(usual), identity.users),
        lambda: _ours(install, identity.group(usual), identity.groups),
        lambda: _policy(oracle, install, usual),
    )
    storage = Bucket(oracle, install, storage_name or bucket.default_name(install), tags.NONE)
    whose = _user(oracle, install, user, group)
    the_group = Group(oracle, install, group.name if group else usual, tags.NONE, whose)
    place, found = policy
    the_policy = BucketPolicy(
        oracle,
        install,
        found.name if found else usual,
        tags.NONE,
        the_group,
        _Placed(storage.name, place),
        storage,
    )
    issuer = SecretKeys(oracle, install, whose, storage.name)
    issued = IssuedKeys(install, issuer, key=keys.key(install), needs=(whose, the_policy))
    present: list[tuple[Resource[Any], object]] = [
        (storage, storage_name),
        (whose, user),
        (the_group, group),
        (the_policy, found),
        # Keys of a user that the person lent are found by the group, which has that user.
        (issued, user or group),
    ]
    return [resource for resource, there in present if there]


class _Placed:
    """The bucket of a policy, in the compartment where the policy was found."""

    def __init__(self, name: str, compartment: str) -> None:
        self.name = name
        self.compartment = compartment


def _user(
    oracle: Oracle, install: Install, user: Named | None, group: Named | None
) -> Resource[str]:
    """Ours; else the one who is in our group."""
    if user is None and group is not None:
        for member in oracle.identity.members(group.id):
            return AdoptedUser(oracle, install, member.user)
    return User(oracle, install, user.name if user else named.default_name(install), tags.NONE)


def _bucket(oracle: Oracle, install: Install) -> str:
    usual = bucket.default_name(install)
    state = oracle.buckets.state(usual)
    if state is not None and tags.belongs_to(state.tags, install):
        return usual
    there = oracle.buckets.tagged(install.account)
    return next((name for name, found in there if tags.belongs_to(found, install)), "")


def _policy(oracle: Oracle, install: Install, usual: str) -> tuple[str, Named | None]:
    """With its compartment: that of the cluster, else that of a bucket which the user has."""
    identity = oracle.identity
    found = _ours(
        install,
        identity.policy(install.account, usual),
        lambda: identity.policies(install.account),
    )
    if found is not None:
        return install.account, found
    for place, _ in identity.compartments():
        elsewhere = _seen(partial(identity.policy, place, usual))
        if elsewhere is not None and tags.belongs_to(elsewhere.tags, install):
            return place, elsewhere
    return install.account, None


def _seen(look: Callable[[], Named | None]) -> Named | None:
    """Nothing where one may not look: not everybody sees all compartments."""
    try:
        return look()
    except CloudFailure as failure:
        if not failure.denied:
            raise
        return None


def _ours(
    install: Install, usual: Named | None, everything: Callable[[], Iterable[Named]]
) -> Named | None:
    """What is the install's: that of the usual name, else that with its tags."""
    if usual is not None and tags.belongs_to(usual.tags, install):
        return usual
    return next((item for item in everything() if tags.belongs_to(item.tags, install)), None)
