"""What a bucket is set to beside the settings of others, and whom its CORS rules admit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anyscale_k8s_cli.providers.gcs import bucket_settings
from anyscale_k8s_cli.providers.gcs.bucket_settings import BucketWishes
from anyscale_k8s_cli.providers.gcs.sdk.storage import Settings

ORIGIN = "https://*.anyscale.com"
WISHES = BucketWishes({"team": "ml"}, ORIGIN, None)
OURS = bucket_settings.wanted(Settings(), WISHES)
THEIRS = {"origin": ["https://x.example"], "method": ["GET"], "maxAgeSeconds": 60}


def fields(found: Settings, wishes: BucketWishes = WISHES) -> list[str]:
    return [change.field for change in bucket_settings.changes(found, wishes)]


def test_what_is_wanted_is_stable() -> None:
    assert fields(OURS) == []
    assert bucket_settings.wanted(OURS, WISHES) == OURS


def test_everything_is_told_of_a_bucket_as_others_make_them() -> None:
    assert fields(Settings()) == [
        "label team",
        "uniform access",
        "public access prevention",
        "versioning",
        "CORS for the console",
        "lifecycle rules",
    ]


def test_rules_and_labels_of_others_stay() -> None:
    found = Settings(
        labels={"cost": "4711"}, cors=[THEIRS], lifecycle=[{"action": {"type": "Delete"}}]
    )
    wanted = bucket_settings.wanted(found, WISHES)
    assert wanted.labels == {"cost": "4711", "team": "ml"}
    assert wanted.cors[0] == THEIRS
    assert wanted.lifecycle[0] == {"action": {"type": "Delete"}}
    assert (len(wanted.cors), len(wanted.lifecycle)) == (2, 3)


def test_the_order_in_which_google_answers_is_no_difference() -> None:
    cors = [{**rule, "method": list(reversed(rule["method"]))} for rule in OURS.cors]
    lifecycle = [
        {**rule, "condition": {key: str(value) for key, value in rule["condition"].items()}}
        for rule in OURS.lifecycle
    ]
    assert fields(replace(OURS, cors=cors, lifecycle=lifecycle)) == []


def test_a_key_is_set_and_not_taken_away() -> None:
    key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    with_key = replace(WISHES, kms_key=key)
    assert fields(OURS, with_key) == ["encryption key"]
    encrypted = bucket_settings.wanted(OURS, with_key)
    assert encrypted.kms_key == key
    assert fields(encrypted) == []
    assert bucket_settings.wanted(encrypted, WISHES).kms_key == key


@pytest.mark.parametrize(
    ("rules", "admitted"),
    [
        ([], False),
        ([THEIRS], False),
        (OURS.cors, True),
        ([{"origin": ["*"], "method": ["*"]}], True),
        ([{"origin": [ORIGIN], "method": ["GET", "HEAD"]}], False),
        (
            [
                {"origin": [ORIGIN], "method": ["GET", "HEAD"]},
                {"origin": ["https://console.anyscale.com"], "method": ["PUT", "POST", "DELETE"]},
            ],
            True,
        ),
        ([{"method": ["*"]}], False),
    ],
)
def test_whom_cors_rules_admit(rules: list[dict[str, object]], admitted: bool) -> None:
    assert bucket_settings.admits(rules, ORIGIN) is admitted
