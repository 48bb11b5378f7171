"""A store that tells actions apart, with one of them taken away: it is named with its statement."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.events import CallMade, Event
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.objectstore import codes, permissions
from anyscale_k8s_cli.providers.objectstore.bucket import AdoptedBucket, Bucket, default_name
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.resource import Observed
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.objectstore.state import StoredObject

from .conftest import REGION, RunningStore

ORIGIN = "https://*.anyscale.com"
INSTALL = Install("generic", "uid", "onprem", "uid", "ray", "prod", "uid")
NAME = default_name(INSTALL)
# Only what is half-way done when something else fails comes to these.
ON_OTHER_WAYS = {"s3:AbortMultipartUpload", "s3:DeleteObjectVersion"}


class Bench:
    """A store, keys with rights of their own, and our client for it."""

    def __init__(self, there: RunningStore) -> None:
        self.there = there
        self.events: list[Event] = []
        key = there.key
        store = S3Store("the store", there.named_url, REGION, key_seconds=0)
        keys = S3Keys(key.id, key.secret)
        self.s3 = S3(Run(listeners=(self.events.append,)), store, lambda: keys)

    def may(self, *actions: str) -> None:
        self.there.key.may = lambda action, _: action in actions

    def bucket(self) -> Bucket:
        return Bucket(self.s3, INSTALL, NAME, origin=ORIGIN)

    def setup(self) -> Observed[Any]:
        bucket = self.bucket()
        observed = bucket.read()
        if observed is not None and observed.manager:
            raise CliError(errors.FOREIGN_OBJECT, observed.manager)
        if observed is None:
            observed = bucket.create()
        else:
            observed = bucket.update(observed, bucket.diff(observed))
        return bucket.ready(observed)

    def delete(self) -> None:
        bucket = self.bucket()
        observed = bucket.read()
        if observed is not None:
            bucket.contents(observed)
            bucket.forget_cluster(observed)
            bucket.delete(observed)

    def used(self) -> Iterator[str]:
        """Actions of the calls that were made, but for the one that asks whose keys they are."""
        for event in self.events:
            if isinstance(event, CallMade) and event.call != "ListBuckets":
                yield permissions.action_of(event.call)


@pytest.fixture
def bench(running: Callable[..., RunningStore], monkeypatch: pytest.MonkeyPatch) -> Bench:
    there = running()
    monkeypatch.setenv("HTTP_PROXY", there.url)
    monkeypatch.setenv("http_proxy", there.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return Bench(there)


def printed(verb: Verb) -> list[str]:
    (document,) = permissions.documents(verb, "x")
    policy = json.loads(document.text)
    return [action for item in policy["Statement"] for action in item["Action"]]


def told_by(work: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(CliError) as caught:
        work()
    return f"{caught.value.code.slug}: {caught.value}", caught.value.fix


def test_the_printed_policies_are_enough_and_not_too_much(bench: Bench) -> None:
    bench.may(*printed(Verb.SETUP))
    bench.setup()
    assert set(printed(Verb.SETUP)) - set(bench.used()) == {"s3:AbortMultipartUpload"}
    bench.there.store.buckets[NAME].objects["a/b"] = StoredObject.of(b"1234")
    bench.events.clear()
    bench.may(*printed(Verb.DELETE))
    bench.delete()
    beside = set(printed(Verb.DELETE)) - set(printed(Verb.VERIFY))
    assert beside - set(bench.used()) <= ON_OTHER_WAYS
    assert not bench.there.store.buckets


def test_each_action_of_setup_that_is_taken_away_is_named_and_a_second_run_goes_on(
    bench: Bench,
) -> None:
    """Nobody can be asked beforehand: what reads is told by a plan, what writes by its use."""
    for taken in set(printed(Verb.SETUP)) - ON_OTHER_WAYS:
        bench.may(*(item for item in printed(Verb.SETUP) if item != taken))
        told, fix = told_by(bench.setup)
        assert taken in f"{told} {fix}", (taken, told, fix)
        assert not told.startswith(errors.INTERNAL.slug)
        bench.may(*printed(Verb.SETUP))
        observed = bench.setup()
        assert bench.bucket().diff(observed) == []
        bench.may(*printed(Verb.SETUP), *printed(Verb.DELETE))
        bench.delete()


def test_the_statement_gives_just_the_action_in_just_the_bucket(bench: Bench) -> None:
    bench.may(*(item for item in printed(Verb.SETUP) if item != "s3:PutObject"))
    told, fix = told_by(bench.setup)
    assert told.startswith(f"{codes.STORE_KEYS_DENIED.slug}: ")
    assert "PutObject" in told
    assert "s3:PutObject" in fix
    own = AdoptedBucket(bench.s3, INSTALL, NAME, origin=ORIGIN)
    told, fix = told_by(lambda: own.ready(Observed(id=NAME, output=None)))  # type: ignore[arg-type]
    assert f"does not let these keys s3:PutObject on {NAME}" in told
    statement = json.loads(fix.partition(": ")[2].splitlines()[0])
    assert statement == {
        "Effect": "Allow",
        "Action": ["s3:PutObject"],
        "Resource": f"arn:aws:s3:::{NAME}/*",
    }
    assert "run the same command again" in fix


def test_a_bucket_that_keys_may_not_look_at_is_not_taken_for_somebody_elses(bench: Bench) -> None:
    bench.may(*printed(Verb.SETUP))
    bench.setup()
    bench.may(*(item for item in printed(Verb.SETUP) if item != "s3:ListBucket"))
    told, fix = told_by(bench.bucket().read)
    assert f"does not let these keys s3:ListBucket on {NAME}" in told
    assert f'"Resource": "arn:aws:s3:::{NAME}"' in fix
