"""What a bucket is set to, with what others set in it left alone."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.providers.nebius.bucket_settings import (
    BucketWishes,
    admits,
    changes,
    cors_rule,
    wanted,
)
from anyscale_k8s_cli.providers.nebius.sdk.storage import Settings
from anyscale_k8s_cli.providers.nebius.tags import Labels

CONSOLE = "https://*.anyscale.com"
WISHES = BucketWishes(Labels({"anyscale-k8s-install": "abc"}, {"team": "ml"}), CONSOLE)
THEIRS = {
    "origins": ("https://theirs.example",),
    "methods": ("GET",),
    "headers": (),
    "exposed": (),
    "max_age_seconds": 0,
}


def rule(**more: Any) -> dict[str, Any]:
    return {**cors_rule(CONSOLE), **more}


def test_a_new_bucket_gets_all_of_it_and_then_nothing_differs() -> None:
    made = wanted(Settings(), WISHES)
    assert made.versioning
    assert (made.old_days, made.upload_days) == (30, 7)
    assert changes(made, WISHES) == []
    assert wanted(made, WISHES) == made


def test_what_others_set_stays() -> None:
    found = Settings(labels={"theirs": "yes"}, cors=(THEIRS,), old_days=3, upload_days=1)
    made = wanted(found, WISHES)
    assert made.labels["theirs"] == "yes"
    assert made.cors[0] == THEIRS
    assert (made.old_days, made.upload_days) == (3, 1)


def test_a_label_of_an_earlier_setup_goes_while_it_is_as_it_was_written() -> None:
    assert "team" not in wanted(Settings(labels={"team": "ml"}), WISHES).labels
    assert wanted(Settings(labels={"team": "theirs"}), WISHES).labels["team"] == "theirs"


def test_each_difference_is_named() -> None:
    names = {change.field for change in changes(Settings(), WISHES)}
    assert names == {
        "label anyscale-k8s-install",
        "versioning",
        "days that old versions stay",
        "days that unfinished uploads stay",
        "CORS for the console",
    }


@pytest.mark.parametrize(
    ("rules", "fits"),
    [
        ([], False),
        ([THEIRS], False),
        ([rule()], True),
        ([rule(origins=("*",))], True),
        ([rule(methods=("GET",))], False),
        ([rule(headers=())], False),
        ([rule(methods=("GET", "HEAD")), rule(methods=("DELETE", "POST", "PUT"))], True),
    ],
)
def test_whether_a_console_is_let_in(rules: list[dict[str, Any]], fits: bool) -> None:
    assert admits(rules, CONSOLE) is fits
