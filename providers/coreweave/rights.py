"""Whether you may do what a command does: object storage's own API is asked, right by right.

What is only looked at has been tried by then. Of clusters and of who you are there is nobody
to ask, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from anyscale_k8s_cli.checks import Finding, Status, passed
from anyscale_k8s_cli.checks.rights import Asker, Lack, finding
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.coreweave import permissions
from anyscale_k8s_cli.providers.coreweave.bucket import LeftBucket
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.federation import TokenExchange
from anyscale_k8s_cli.providers.coreweave.policy import BucketPolicy
from anyscale_k8s_cli.providers.coreweave.sdk.storage import (
    CREATE_KEY,
    DELETE_POLICY,
    ENSURE_POLICY,
    REVOKE_KEY,
)
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.storage_keys import IssuedKeys


def to_set_up(coreweave: CoreWeave, resources: Iterable[Resource[Any]]) -> Finding:
    """A no about what is there and as it should be is a warning: perhaps it stays so."""
    return _told(coreweave, Verb.SETUP, [item for one in resources for item in _making(one)])


def to_remove(
    coreweave: CoreWeave, going: Sequence[Resource[Any]], staying: Sequence[Resource[Any]]
) -> Finding:
    """Asked before any of the objects that were found is touched."""
    wanted = [item for resource in going for item in _removing(resource)]
    # It is seen, and loses its cluster's UID, with keys for a moment.
    wanted += [item for one in staying if isinstance(one, LeftBucket) for item in _removing(one)]
    return _told(coreweave, Verb.DELETE, wanted)


def _making(resource: Resource[Any]) -> Iterator[Lack]:
    """What is to be asked about an object of a setup, as what would be missing."""
    match resource:
        case BucketPolicy():
            observed = resource.read()
            stops = observed is None or bool(resource.diff(observed))
            yield Lack(ENSURE_POLICY, resource.title, stops)
        case IssuedKeys():
            stops = resource.read() is None
            yield Lack(CREATE_KEY, resource.title, stops)
            yield Lack(REVOKE_KEY, resource.title, stops)
        case TokenExchange():
            yield Lack(CREATE_KEY, resource.title)


def _removing(resource: Resource[Any]) -> Iterator[Lack]:
    match resource:
        case BucketPolicy():
            yield Lack(DELETE_POLICY, resource.title)
        case IssuedKeys():
            yield Lack(REVOKE_KEY, resource.title)
        case LeftBucket():
            yield Lack(CREATE_KEY, resource.title)
            yield Lack(REVOKE_KEY, resource.title)


def _told(coreweave: CoreWeave, verb: Verb, wanted: Sequence[Lack]) -> Finding:
    if not wanted:
        return passed("nothing of the organisation's is written")
    rights = list(dict.fromkeys(item.right for item in wanted))
    storage = coreweave.storage
    try:
        all_of_it = storage.may(*rights)
        answers = [] if all_of_it else side_by_side(*(partial(storage.may, i) for i in rights))
    except CloudFailure as failure:
        # Older installations of the API do not know the question.
        return Finding(
            Status.UNKNOWN,
            f"CoreWeave does not tell what {coreweave.principal} may do: {failure}",
            tuple(f"unknown: {item}" for item in wanted),
            f"compare with your roles; `{permissions.command(verb)}` prints those that are needed",
        )
    denied = {right for right, may in zip(rights, answers, strict=False) if not may}
    lacks = [item for item in wanted if item.right in denied]
    asker = Asker(coreweave.principal, permissions.command(verb))
    statement = permissions.grant(coreweave.principal, sorted(denied))
    return finding(asker, len(rights), lacks, statement)
