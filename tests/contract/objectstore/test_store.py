"""A bucket in a store with quirks: wrong settings are told by name, and ours fit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Status, run_checks
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.events import Event, Notice
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.objectstore import checks as checks_of_store
from anyscale_k8s_cli.providers.objectstore import probe
from anyscale_k8s_cli.providers.objectstore.bucket import (
    LOCATOR_KEY,
    AdoptedBucket,
    Bucket,
    default_name,
)
from anyscale_k8s_cli.providers.objectstore.sdk.client import S3
from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.resource import Change, Rights, decide
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.objectstore.state import Quirk
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule
from anyscale_k8s_cli.spec import Addressing, Checksums
from tests.contract.objectstore.conftest import REGION, RunningStore

Start = Callable[..., RunningStore]
ORIGIN = "https://*.anyscale.com"
INSTALL = Install("generic", "uid", "onprem", "uid", "ray", "prod", "uid")
NAME = default_name(INSTALL)


@pytest.fixture
def seen() -> list[Event]:
    return []


@pytest.fixture
def reach(
    running: Start, monkeypatch: pytest.MonkeyPatch, seen: list[Event]
) -> Callable[..., tuple[RunningStore, S3]]:
    """A store with quirks and a client with settings, by names that lead to the store."""

    def start(*quirks: Quirk, **settings: Any) -> tuple[RunningStore, S3]:
        there = running(*quirks)
        monkeypatch.setenv("HTTP_PROXY", there.url)
        monkeypatch.setenv("http_proxy", there.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        keys = settings.pop("keys", S3Keys(there.key.id, there.key.secret))
        store = replace(S3Store("the store", there.named_url, REGION, key_seconds=5), **settings)
        return there, S3(Run(listeners=(seen.append,)), store, lambda: keys)

    return start


Reach = Callable[..., tuple[RunningStore, S3]]

# Each quirk with the setting that is wrong for it, the code that says so, and a right one.
VIRTUAL = {"addressing": Addressing.VIRTUAL}
PATH = {"addressing": Addressing.PATH}
QUIRKS = [
    (Quirk.VIRTUAL_HOSTED_ONLY, PATH, "store-path-style-refused", VIRTUAL),
    (Quirk.PATH_ONLY, VIRTUAL, "store-virtual-host-refused", PATH),
    (
        Quirk.CHECKSUM_REFUSED,
        {"checksums": Checksums.WHEN_SUPPORTED},
        "store-checksum-refused",
        {},
    ),
    (Quirk.SIGNING_REGION_CHECKED, {"region": "elsewhere"}, "store-signing-region", {}),
    (Quirk.KEYS_DELAYED, {"keys": S3Keys("NOBODYS", "x")}, "store-keys-denied", {}),
    (Quirk.NO_CORS, {"keys": S3Keys("NOBODYS", "x")}, "store-keys-denied", {}),
]


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(errors.CliError) as caught:
        call()
    return caught.value.code.slug


@pytest.mark.parametrize(("quirk", "wrong", "code", "_"), QUIRKS)
def test_a_wrong_setting_is_found_by_reading(
    reach: Reach, quirk: Quirk, wrong: dict[str, Any], code: str, _: Any
) -> None:
    there, s3 = reach(quirk, **wrong)
    assert code_of(lambda: Bucket(s3, INSTALL, NAME, origin=ORIGIN).read()) == code
    found = asyncio.run(run_checks(checks_of_store.checks(s3, NAME, ORIGIN), s3.run))
    assert [item.check.code for item in found.results if item.failed] == [code]
    assert there.wire.calls(writes_only=True) == [], "nothing was written to find it out"


@pytest.mark.parametrize(("quirk", "wrong", "code", "_"), QUIRKS)
def test_a_wrong_setting_is_found_by_use(
    reach: Reach, quirk: Quirk, wrong: dict[str, Any], code: str, _: Any
) -> None:
    there, s3 = reach(quirk, **wrong)
    there.store.create_bucket(NAME)
    if code == "store-keys-denied":
        s3.store = replace(s3.store, key_seconds=0.1)
    assert code_of(lambda: probe.use(s3, NAME)) == code


@pytest.mark.parametrize(("quirk", "_wrong", "_code", "right"), QUIRKS)
def test_with_the_right_setting_all_of_it_works(
    reach: Reach, quirk: Quirk, _wrong: Any, _code: str, right: dict[str, Any]
) -> None:
    there, s3 = reach(quirk, **right)
    for _ in range(3 if quirk is Quirk.KEYS_DELAYED else 0):
        s3.run.retry(s3.names, retriable=lambda _: True, what="keys", timeout=5)
    bucket = Bucket(s3, INSTALL, NAME, origin=ORIGIN)
    assert bucket.read() is None
    observed = bucket.ready(bucket.create())
    assert decide(bucket, observed, Rights()).change is Change.NONE
    assert set(there.store.buckets[NAME].objects) == {LOCATOR_KEY}, "the proof leaves nothing"
    again = Bucket(s3, INSTALL, NAME, origin=ORIGIN)
    assert decide(again, again.read(), Rights()).change is Change.NONE
    bucket.delete(observed)
    assert there.store.buckets == {}


def test_a_store_without_cors_is_told_of_and_used(reach: Reach, seen: list[Event]) -> None:
    _, s3 = reach(Quirk.NO_CORS)
    bucket = Bucket(s3, INSTALL, NAME, origin=ORIGIN)
    made = bucket.ready(bucket.create())
    assert made.output.cors is False
    assert any(isinstance(item, Notice) and "no CORS call" in item.text for item in seen)
    found = asyncio.run(run_checks(checks_of_store.checks(s3, NAME, ORIGIN), s3.run))
    [cors] = [item for item in found.results if item.check.code == "store-cors-unsupported"]
    assert cors.finding.status is Status.WARN
    assert "put-bucket-cors" in cors.finding.fix


def test_a_missing_policy_of_the_organisation_is_a_matter_of_the_keys(reach: Reach) -> None:
    there, s3 = reach(Quirk.ORGANISATION_POLICY)
    assert code_of(lambda: probe.look(s3, NAME)) == "store-keys-denied"
    there.store.policies["all"] = {}
    probe.look(s3, NAME)


def test_a_store_that_makes_no_buckets_says_what_to_do(reach: Reach) -> None:
    _, s3 = reach(Quirk.NO_BUCKET_CREATION)
    bucket = Bucket(s3, INSTALL, NAME, origin=ORIGIN)
    assert code_of(bucket.create) == "store-bucket-refused"


def test_a_store_that_does_not_answer_is_told_apart(reach: Reach) -> None:
    there, s3 = reach(endpoint="http://127.0.0.1:9")
    assert code_of(lambda: probe.look(s3, NAME)) == "store-unreachable"
    assert there.calls() == []


def test_what_a_dead_run_left_unmarked_is_taken_up(reach: Reach) -> None:
    there, s3 = reach()
    there.store.create_bucket(NAME)
    bucket = Bucket(s3, INSTALL, NAME, origin=ORIGIN)
    rights = Rights(intended=frozenset({bucket.key}))
    assert decide(bucket, bucket.read(), rights).change is Change.UPDATE
    assert decide(bucket, bucket.read(), Rights()).change is Change.REFUSE
    assert bucket.create().owner == INSTALL


def test_somebody_elses_bucket_is_never_taken_up(reach: Reach) -> None:
    there, s3 = reach()
    there.store.create_bucket(NAME)
    s3.put(NAME, "their/object", b"")
    bucket = Bucket(s3, INSTALL, NAME, origin=ORIGIN)
    assert decide(bucket, bucket.read(), Rights(intended=frozenset({bucket.key}))).change is (
        Change.REFUSE
    )
    assert code_of(bucket.create) == "foreign-object"


def test_a_name_that_is_taken_elsewhere_is_refused(reach: Reach) -> None:
    there, s3 = reach()
    there.store.taken = frozenset({NAME})
    bucket = Bucket(s3, INSTALL, NAME, origin=ORIGIN)
    assert decide(bucket, bucket.read(), Rights()).change is Change.REFUSE


def test_a_kept_bucket_forgets_the_cluster(reach: Reach) -> None:
    _, s3 = reach()
    bucket = Bucket(s3, INSTALL, NAME, origin=ORIGIN)
    bucket.forget_cluster(bucket.create())
    kept = Bucket(s3, INSTALL, NAME).read()
    assert kept is not None
    assert kept.owner == INSTALL.forgetting_cluster()


def test_all_that_is_in_it_goes_with_it(reach: Reach) -> None:
    there, s3 = reach(Quirk.CHECKSUM_REFUSED)
    bucket = Bucket(s3, INSTALL, NAME, origin=ORIGIN)
    observed = bucket.create()
    for number in range(3):
        s3.put(NAME, f"data/{number}", b"12")
    there.sdk(request_checksum_calculation="when_required").create_multipart_upload(
        Bucket=NAME, Key="unfinished"
    )
    assert bucket.contents(observed).startswith("4 object versions")
    bucket.delete(observed)
    assert there.store.buckets == {}


def test_a_bucket_of_the_users_own_needs_the_console_let_in(reach: Reach) -> None:
    there, s3 = reach()
    there.store.create_bucket(NAME)
    adopted = AdoptedBucket(s3, INSTALL, NAME, origin=ORIGIN)
    decision = decide(adopted, adopted.read(), Rights())
    assert decision.change is Change.REFUSE
    assert "put-bucket-cors" in decision.fix
    Bucket(s3, INSTALL, NAME, origin=ORIGIN).create()
    assert decide(adopted, adopted.read(), Rights()).change is Change.ADOPT
    adopted.ready(adopted.read())  # type: ignore[arg-type]
    assert set(there.store.buckets[NAME].objects) == {LOCATOR_KEY}


def test_what_a_lock_holds_is_told(reach: Reach) -> None:
    there, s3 = reach()
    bucket = Bucket(s3, INSTALL, NAME, origin=ORIGIN)
    observed = bucket.create()
    there.store.buckets[NAME].held = {LOCATOR_KEY}
    assert code_of(lambda: bucket.delete(observed)) == "store-bucket-not-emptied"
    assert LOCATOR_KEY in there.store.buckets[NAME].objects


def test_a_failure_of_the_stores_own_is_no_matter_of_settings(reach: Reach) -> None:
    there, s3 = reach()
    there.wire.inject(FaultRule(FaultKind.ERROR, status=500, times=0))
    assert code_of(lambda: probe.look(s3, NAME)) == "store-failed"
