"""Whether you may do what a command does: Azure tells what your roles allow at a scope.

Deny assignments are not seen by it, nor what a role on the whole subscription alone would allow
that is asked for beyond the resource group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from anyscale_k8s_cli.checks import Finding, passed, unless_denied
from anyscale_k8s_cli.checks.rights import Asker, Lack, finding
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.aks import permissions
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.bucket import Bucket
from anyscale_k8s_cli.providers.aks.bucket_access import BucketAccess
from anyscale_k8s_cli.providers.aks.cloud_side import Names
from anyscale_k8s_cli.providers.aks.encryption_key import ASSIGN
from anyscale_k8s_cli.providers.aks.identity import ManagedIdentity
from anyscale_k8s_cli.providers.aks.sdk.roles import Permission
from anyscale_k8s_cli.resource import Resource

_ACCOUNTS = "Microsoft.Storage/storageAccounts/"
_IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities/"
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments/"


def to_set_up(azure: Azure, group: str, names: Names) -> Finding:
    """A no about what is there is a warning, since perhaps nothing is to be changed; so is one
    about what setup does without."""

    def there() -> set[str]:
        """What is about objects that are there, or that the user has already, by its beginning."""
        account = not names.account or _seen(lambda: azure.storage.account(group, names.account))
        identity = all(
            _seen(partial(azure.identities.get, group, name)) for name in names.identities
        )
        found = {_ACCOUNTS: account, _IDENTITIES: identity, _ASSIGNMENTS: account and identity}
        return {prefix for prefix, is_there in found.items() if is_there}

    brought = {_ACCOUNTS: not names.account, _IDENTITIES: not names.identities}
    brought[_ASSIGNMENTS] = all(brought.values())
    unneeded = tuple(prefix for prefix, is_brought in brought.items() if is_brought)
    key_user = names.settings.kms_identity if names.account else ""
    wanted = [
        item
        for item in permissions.actions(Verb.SETUP)
        if not (item.startswith(unneeded) and item.endswith("/write"))
        and not item.startswith(permissions.OF_KEYS)
    ]

    def ask() -> list[Lack]:
        held = azure.roles.own(group)
        lacking = _lacking(held, wanted)
        present = tuple(there()) if lacking else ()
        # On the identity itself, wherever that is.
        on_key_user = _lacking(azure.roles.own_on(key_user), [ASSIGN]) if key_user else []
        return [Lack(item, key_user) for item in on_key_user] + [
            Lack(
                item,
                f"resource group {group}",
                stops=item not in permissions.DISPENSABLE and not item.startswith(present),
            )
            for item in lacking
        ]

    return _told(azure, Verb.SETUP, group, len(wanted), ask)


def to_look(azure: Azure, group: str) -> Finding:
    """A no is a warning: whoever may not look at something is told so where it matters."""
    wanted = [
        item
        for item in permissions.actions(Verb.VERIFY)
        if not item.startswith(permissions.OF_KEYS)
    ]

    def ask() -> list[Lack]:
        lacking = _lacking(azure.roles.own(group), wanted)
        return [Lack(item, f"resource group {group}", stops=False) for item in lacking]

    return _told(azure, Verb.VERIFY, group, len(wanted), ask)


def to_remove(
    azure: Azure, group: str, going: Sequence[Resource[Any]], staying: Sequence[Resource[Any]]
) -> Finding:
    """Asked of the very objects that were found, before any of them is touched."""
    wanted = [
        *(item for resource in going for item in _removing(resource)),
        *(item for resource in staying for item in _forgetting(resource)),
    ]
    if not wanted:
        return passed()

    def lacking(thing: str, action: str) -> list[Lack]:
        return [Lack(item, thing) for item in _lacking(azure.roles.own_on(thing), [action])]

    def ask() -> list[Lack]:
        answers = side_by_side(*(partial(lacking, *item) for item in wanted))
        return [item for found in answers for item in found]

    return _told(azure, Verb.DELETE, group, len(wanted), ask)


def _removing(resource: Resource[Any]) -> Iterator[tuple[str, str]]:
    """On which object a removal takes which action."""
    if resource.observed is None:
        return
    found = resource.observed.id
    match resource:
        case Bucket():
            yield found, f"{_ACCOUNTS}delete"
        case ManagedIdentity():
            yield found, f"{_IDENTITIES}delete"
        case BucketAccess():
            # Whoever may do it on the account may do it on what is granted there.
            scope, _, _ = found.lower().partition(f"/providers/{_ASSIGNMENTS.lower()}")
            account, _, _ = scope.partition("/blobservices/")
            yield account, f"{_ASSIGNMENTS}delete"


def _forgetting(resource: Resource[Any]) -> Iterator[tuple[str, str]]:
    """What it takes to take the cluster's UID off what stays."""
    if isinstance(resource, Bucket) and resource.observed is not None:
        yield resource.observed.id, f"{_ACCOUNTS}write"


def _seen(look: Callable[[], object | None]) -> bool:
    """Whether it is there, as far as one may see."""
    try:
        return look() is not None
    except CloudFailure as failure:
        if not failure.denied:
            raise
        return False


def _lacking(held: Sequence[Permission], wanted: Sequence[str]) -> list[str]:
    return [name for name in wanted if not any(item.allows(name) for item in held)]


@unless_denied("ask")
def _told(
    azure: Azure, verb: Verb, group: str, number: int, ask: Callable[[], list[Lack]]
) -> Finding:
    lacks = ask()
    who = azure.session.principal or "your Azure account"
    scope = f"/subscriptions/{azure.subscription_id}/resourceGroups/{group}"
    missing = list(dict.fromkeys(item.right for item in lacks))
    statement = permissions.grant(azure.session.principal, scope, missing)
    return finding(Asker(who, permissions.command(verb)), number, lacks, statement)
