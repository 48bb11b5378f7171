"""Whether you may do what a command does: each object, or the project, is asked.

What is there tells what you may do with it; for what is still to be made the project tells.
Deny policies are not seen by it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from functools import partial
from typing import Any

from anyscale_k8s_cli.checks import Finding, passed, unless_denied
from anyscale_k8s_cli.checks.rights import Asker, Lack, finding
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.gcs.bucket import Bucket, default_name
from anyscale_k8s_cli.providers.gke import permissions
from anyscale_k8s_cli.providers.gke.bucket_access import BucketAccess
from anyscale_k8s_cli.providers.gke.cloud_side import Names
from anyscale_k8s_cli.providers.gke.google import Google, may_see
from anyscale_k8s_cli.providers.gke.identity import PodAccount
from anyscale_k8s_cli.resource import Resource

_BUCKETS, _ACCOUNTS = "storage.buckets.", "iam.serviceAccounts."
_Held = Callable[[str, Sequence[str]], set[str] | None]
# Whether the cluster is gone; and where it is, whether its load balancer is.
_STATE, _PROVES_DELETION = "container.clusters.get", "compute.forwardingRules.list"


def to_set_up(google: Google, names: Names) -> Finding:
    """A no about what is there is a warning, since perhaps nothing is to be changed; so is one
    about what setup does without."""
    return _by_names(google, names, Verb.SETUP, permissions.DISPENSABLE)


def to_look(google: Google, names: Names) -> Finding:
    """A no is a warning: whoever may not look at something is told so where it matters."""
    return _by_names(google, names, Verb.VERIFY, permissions.of(Verb.VERIFY))


def _by_names(google: Google, names: Names, verb: Verb, optional: Container[str]) -> Finding:
    """What lists, and what is not there yet, the project is asked about."""
    wanted = [
        item for item in permissions.of(verb) if names.own_role or item != permissions.SEE_ROLE
    ]
    accounts = [google.email(item) for item in (names.account, names.workload_account) if item]
    objects: tuple[tuple[str, str, _Held], ...] = (
        (_BUCKETS, names.bucket, google.storage.held),
        *((_ACCOUNTS, account, google.iam.held) for account in accounts),
    )

    def ask() -> list[Lack]:
        of_project = [
            item
            for item in wanted
            if item.endswith(".list") or not item.startswith((_BUCKETS, _ACCOUNTS))
        ]
        lacks: list[Lack] = []
        for prefix, thing, held in objects:
            about = [item for item in wanted if item.startswith(prefix) and item not in of_project]
            asked = permissions.on_objects(about)
            found = may_see(partial(held, thing, asked), None) if thing and asked else set()
            if found is None:
                of_project += about
            elif found:
                # Who has nothing at all on it looks at somebody else's.
                lacks += [Lack(item, thing, stops=False) for item in asked if item not in found]
        asked_once = list(dict.fromkeys(of_project))
        return [*_lacking_in_project(google, asked_once, optional), *lacks]

    return _told(google, verb, len(wanted), ask)


def to_remove(
    google: Google,
    install: Install,
    going: Sequence[Resource[Any]],
    staying: Sequence[Resource[Any]],
) -> Finding:
    """Asked of the very objects that were found, before any of them is touched.

    And of a bucket of the usual name: one whose labels may not be seen looks like nobody's.
    """
    wanted = [
        *(item for resource in going for item in _removing(resource)),
        *(item for resource in staying for item in _forgetting(resource)),
    ]
    if not wanted:
        return passed()
    of_project = [_STATE, _PROVES_DELETION]
    held_on = {_BUCKETS: google.storage.held, _ACCOUNTS: google.iam.held}

    def lacking(thing: str, prefix: str, asked: tuple[str, ...]) -> list[Lack]:
        found = held_on[prefix](thing, asked)
        # What has gone meanwhile needs no right any more.
        return [Lack(item, thing) for item in asked if found is not None and item not in found]

    def unseen() -> list[Lack]:
        name, see = default_name(install), "storage.buckets.get"
        found = google.storage.held(name, (see, *permissions.to_empty()))
        return [Lack(see, name)] if found and see not in found else []

    def ask() -> list[Lack]:
        in_project = partial(_lacking_in_project, google, of_project, [_STATE])
        answers = side_by_side(in_project, unseen, *(partial(lacking, *item) for item in wanted))
        return [item for found in answers for item in found]

    number = len(of_project) + sum(len(asked) for *_, asked in wanted)
    return _told(google, Verb.DELETE, number, ask)


def _removing(resource: Resource[Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """On what, of which kind, a removal takes which permissions."""
    match resource:
        case Bucket():
            yield resource.name, _BUCKETS, permissions.to_empty()
        case BucketAccess():
            yield resource.bucket, _BUCKETS, ("storage.buckets.setIamPolicy",)
        case PodAccount():
            yield resource.email, _ACCOUNTS, ("iam.serviceAccounts.delete",)


def _forgetting(resource: Resource[Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What it takes to take the cluster's UID off what stays."""
    if isinstance(resource, Bucket):
        yield resource.name, _BUCKETS, ("storage.buckets.update",)


def _lacking_in_project(
    google: Google, wanted: Sequence[str], optional: Container[str]
) -> list[Lack]:
    """Who has a basic role may set up the buckets that he makes, by the policy that these begin
    with: the project's policy does not tell of that."""
    marks, thing = permissions.marks_of_basic_roles(), f"project {google.project}"
    held = google.projects.held([*wanted, *marks])
    by_making = permissions.on_new_buckets() if held.issuperset(marks) else ()
    return [
        Lack(item, thing, stops=item not in optional)
        for item in wanted
        if item not in held and item not in by_making
    ]


@unless_denied("ask")
def _told(google: Google, verb: Verb, number: int, ask: Callable[[], list[Lack]]) -> Finding:
    lacks = ask()
    who = google.session.principal or "your Google account"
    missing = list(dict.fromkeys(item.right for item in lacks))
    statement = permissions.grant(google.project, google.session.member, missing)
    return finding(Asker(who, permissions.command(verb)), number, lacks, statement)
