"""CORS rules merged and judged; machines with GPUs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.aks import gpu
from anyscale_k8s_cli.providers.aks.bucket_settings import BucketWishes, changes, wanted
from anyscale_k8s_cli.providers.aks.sdk.storage import Settings
from anyscale_k8s_cli.providers.azureblob import codes
from anyscale_k8s_cli.providers.azureblob.cors import (
    MOST_RULES,
    CorsRule,
    admits,
    has_ours,
    with_ours,
)
from anyscale_k8s_cli.providers.azureblob.cors import rule as cors_rule

ORIGIN = "https://*.anyscale.com"
OURS = cors_rule(ORIGIN)
THEIRS = CorsRule(("https://x.example",), ("GET",), ("*",), ("*",), 60)
WISHES = BucketWishes({"a": "b"}, ORIGIN, shared_key=True)


def test_our_rule_joins_those_of_others() -> None:
    assert with_ours([THEIRS], ORIGIN, "x") == [THEIRS, OURS]
    assert with_ours([OURS, THEIRS], ORIGIN, "x") == [OURS, THEIRS]


def test_how_lists_are_ordered_is_no_difference() -> None:
    turned = replace(OURS, methods=OURS.methods[::-1], exposed=tuple(map(str.lower, OURS.exposed)))
    assert has_ours([THEIRS, turned], ORIGIN)
    assert not has_ours([replace(OURS, seconds=5)], ORIGIN)
    assert not has_ours([], ORIGIN)


def test_there_is_an_end_to_rules() -> None:
    assert len(with_ours([THEIRS] * (MOST_RULES - 1), ORIGIN, "x")) == MOST_RULES
    with pytest.raises(errors.CliError) as caught:
        with_ours([THEIRS] * MOST_RULES, ORIGIN, "x")
    assert caught.value.code is codes.CORS_FULL


@pytest.mark.parametrize(
    ("rules", "admitted"),
    [
        ([OURS], True),
        ([replace(OURS, origins=("*",))], True),
        ([replace(OURS, origins=("https://console.anyscale.com",))], True),
        ([replace(OURS, methods=("GET",)), replace(OURS, methods=OURS.methods[1:])], False),
        ([replace(OURS, methods=(one,)) for one in OURS.methods], True),
        ([THEIRS], False),
        ([], False),
    ],
)
def test_which_rules_admit_the_console(rules: list[CorsRule], admitted: bool) -> None:
    assert admits(rules, ORIGIN) is admitted


def test_what_others_have_set_stays() -> None:
    found = Settings({"theirs": "1", "a": "x"}, https_only=False, tls="TLS1_0")
    new = wanted(found, WISHES)
    assert new == Settings({"theirs": "1", "a": "b"})
    assert changes(new, WISHES) == []
    assert {change.field for change in changes(found, WISHES)} == {
        "tag a",
        "HTTPS only",
        "least version of TLS",
    }


@pytest.mark.parametrize(
    ("size", "has", "product"),
    [
        ("Standard_NC4as_T4_v3", True, "NVIDIA-T4"),
        ("Standard_NC24ads_A100_v4", True, "NVIDIA-A100"),
        ("Standard_NC40ads_H100_v5", True, "NVIDIA-H100"),
        ("Standard_ND96isr_H100_v5", True, "NVIDIA-H100"),
        ("Standard_NV36ads_A10_v5", True, "NVIDIA-A10"),
        ("Standard_NC6s_v3", True, "NAME"),
        ("Standard_NV4as_v4", False, ""),
        ("Standard_ND96isr_MI300X_v5", False, ""),
        ("Standard_NG8ads_V620_v1", False, ""),
        ("Standard_NP10s", False, ""),
        ("Standard_D8s_v5", False, ""),
    ],
)
def test_machines_with_gpus_that_the_plugin_serves(size: str, has: bool, product: str) -> None:
    assert gpu.has_gpu(size) is has
    if has:
        assert gpu.product(size) == product
