"""Keys of an object store: when one is issued, kept, replaced, and what is revoked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import Change, NotYetKnown, Rights, decide
from anyscale_k8s_cli.storage_keys import GivenKeys, IssuedKey, IssuedKeys

INSTALL = Install("nebius", "project", "eu-north1", "cluster", "ray", "prod")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = 2


class Platform:
    """Issues keys, no more than two at a time, and remembers what it was asked."""

    def __init__(self, *listed: IssuedKey) -> None:
        self.listed = list(listed)
        self.calls: list[str] = []

    def keys(self) -> list[IssuedKey]:
        return list(self.listed)

    def issue(self) -> S3Keys:
        assert len(self.listed) < LIMIT, "there are two keys already"
        made = S3Keys(f"NEW{len(self.calls)}", "its secret")
        self.listed.append(IssuedKey(made.access_key))
        self.calls.append(f"issue {made.access_key}")
        return made

    def revoke(self, access_key: str) -> None:
        self.listed = [item for item in self.listed if item.access_key != access_key]
        self.calls.append(f"revoke {access_key}")

    def wait_usable(self, keys: S3Keys) -> None:
        self.calls.append(f"wait {keys.access_key}")


def issued(platform: Platform, kept: S3Keys | None = None) -> IssuedKeys:
    made = IssuedKeys(INSTALL, platform, key="test:key/one", now=lambda: NOW)
    made.kept = lambda: kept
    return made


def change(keys: IssuedKeys) -> Change:
    keys.observed = keys.read()
    return decide(keys, keys.observed, Rights()).change


def test_the_first_key_is_issued_and_waited_for() -> None:
    platform = Platform()
    keys = issued(platform)
    assert change(keys) is Change.CREATE
    keys.observed = keys.ready(keys.create())
    assert platform.calls == ["issue NEW0", "wait NEW0"]
    assert keys.output == S3Keys("NEW0", "its secret")


def test_a_key_whose_secret_the_cluster_has_stays() -> None:
    platform = Platform(IssuedKey("ONE"))
    keys = issued(platform, S3Keys("ONE", "known"))
    assert change(keys) is Change.NONE
    assert keys.output == S3Keys("ONE", "known")


@pytest.mark.parametrize("kept", [None, S3Keys("OTHER", "of another key")])
def test_a_key_whose_secret_is_lost_is_revoked_before_another_is_issued(
    kept: S3Keys | None,
) -> None:
    platform = Platform(IssuedKey("ONE"), IssuedKey("TWO"))
    keys = issued(platform, kept)
    assert change(keys) is Change.UPDATE
    with pytest.raises(NotYetKnown):
        _ = keys.output
    assert keys.observed is not None
    keys.observed = keys.update(keys.observed, keys.diff(keys.observed))
    assert platform.calls == ["revoke ONE", "revoke TWO", "issue NEW2"]
    assert keys.output.access_key == "NEW2"


def test_a_second_key_that_nobody_can_use_is_revoked_and_the_one_in_use_stays() -> None:
    platform = Platform(IssuedKey("DEAD"), IssuedKey("ONE"))
    keys = issued(platform, S3Keys("ONE", "known"))
    assert change(keys) is Change.UPDATE
    assert keys.observed is not None
    keys.observed = keys.update(keys.observed, ())
    assert platform.calls == ["revoke DEAD"]
    assert keys.output.secret == "known"


def test_a_key_that_soon_ends_is_replaced_and_left_to_what_still_runs_with_it() -> None:
    platform = Platform(IssuedKey("ONE", ends=NOW + timedelta(days=3)))
    keys = issued(platform, S3Keys("ONE", "known"))
    assert change(keys) is Change.UPDATE
    with pytest.raises(NotYetKnown):
        _ = keys.output
    assert keys.observed is not None
    renewed = keys.update(keys.observed, ())
    assert platform.calls == ["issue NEW0"]
    later = issued(platform, renewed.output)
    assert change(later) is Change.NONE, "the old one ends by itself"
    platform.listed[0] = replace(platform.listed[0], usable=False)
    assert change(later) is Change.UPDATE, "and is taken off the list once it has ended"


def test_a_key_that_was_revoked_by_hand_is_replaced() -> None:
    platform = Platform(IssuedKey("ONE", usable=False))
    keys = issued(platform, S3Keys("ONE", "known"))
    assert change(keys) is Change.UPDATE
    assert keys.observed is not None
    keys.update(keys.observed, ())
    assert platform.calls == ["revoke ONE", "issue NEW1"]
    assert change(issued(platform, S3Keys("NEW1", "its secret"))) is Change.NONE


def test_deletion_revokes_all_of_them() -> None:
    platform = Platform(IssuedKey("ONE"), IssuedKey("TWO"))
    keys = issued(platform)
    observed = keys.read()
    assert observed is not None
    keys.delete(observed)
    assert platform.listed == []


def test_a_secret_is_in_no_representation() -> None:
    assert "hush" not in repr(S3Keys("ONE", "hush"))


MISSING = errors.CliError(errors.CLOUD_CREDENTIALS_MISSING, "There are no keys")


def test_given_keys_win_over_those_that_the_cluster_has() -> None:
    keys = GivenKeys(S3Keys, INSTALL, lambda: S3Keys("GIVEN", "1"), MISSING)
    keys.kept = lambda: S3Keys("KEPT", "2")
    assert keys.output.access_key == "GIVEN"
    assert decide(keys, keys.read(), Rights()).change is Change.ADOPT


def test_what_the_cluster_has_serves_a_run_that_is_told_nothing() -> None:
    keys = GivenKeys(S3Keys, INSTALL, lambda: None, MISSING)
    keys.kept = lambda: S3Keys("KEPT", "2")
    assert keys.output.access_key == "KEPT"


def test_without_any_keys_the_error_is_the_platforms_own() -> None:
    with pytest.raises(errors.CliError) as caught:
        GivenKeys(S3Keys, INSTALL, lambda: None, MISSING).read()
    assert caught.value is MISSING
