"""Rules of a bucket: ours among others, and what the console needs."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.providers.eks.bucket_settings import (
    CONSOLE_METHODS,
    admits,
    cors_rule,
    lifecycle_rules,
    merged,
    same_rule,
)
from anyscale_k8s_cli.providers.eks.cloud_side import bucket_name, slashed

ORIGIN = "https://*.anyscale.com"
THEIRS = {"ID": "theirs", "Status": "Enabled"}


def test_ours_replace_ours_and_nobody_elses() -> None:
    old = {**lifecycle_rules()[0], "Status": "Disabled"}
    assert merged([old, THEIRS], lifecycle_rules()) == [THEIRS, *lifecycle_rules()]
    assert merged([], lifecycle_rules()) == lifecycle_rules()


@pytest.mark.parametrize("written", [{"Filter": {}}, {"Filter": {"Prefix": ""}}, {"Prefix": ""}])
def test_no_filter_is_no_filter(written: dict[str, Any]) -> None:
    rule = {key: value for key, value in lifecycle_rules()[0].items() if key != "Filter"}
    assert same_rule({**rule, **written}, lifecycle_rules()[0])
    assert not same_rule({**rule, "Filter": {"Prefix": "a/"}}, lifecycle_rules()[0])


def rule(*origins: str, methods: tuple[str, ...] = CONSOLE_METHODS) -> dict[str, Any]:
    return {"AllowedOrigins": list(origins), "AllowedMethods": list(methods)}


@pytest.mark.parametrize(
    "rules",
    [
        [cors_rule(ORIGIN)],
        [rule("*")],
        [rule("https://x.example", "https://*")],
        [rule("https://console.anyscale.com")],
        [rule(ORIGIN, methods=("GET", "HEAD")), rule("*", methods=("PUT", "POST", "DELETE"))],
    ],
)
def test_the_console_is_admitted(rules: list[dict[str, Any]]) -> None:
    assert admits(rules, ORIGIN)


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [rule("https://anyscale.com.example")],
        [rule("http://console.anyscale.com")],
        [rule(ORIGIN, methods=("GET", "HEAD", "PUT"))],
    ],
)
def test_the_console_is_not_admitted(rules: list[dict[str, Any]]) -> None:
    assert not admits(rules, ORIGIN)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("data", "data"),
        ("s3://data/", "data"),
        ("arn:aws-cn:s3:::data", "data"),
        ("s3://data/folder", ""),
        ("Data", ""),
        ("arn:nonsense", ""),
    ],
)
def test_what_people_call_a_bucket(given: str, name: str) -> None:
    assert bucket_name(given) == name


@pytest.mark.parametrize(
    ("given", "path"), [("team", "/team/"), ("/a/b/", "/a/b/"), ("/", "/"), ("", "/")]
)
def test_paths_have_slashes(given: str, path: str) -> None:
    assert slashed(given) == path
