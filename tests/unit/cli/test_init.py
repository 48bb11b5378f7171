"""`cloud init`: a file that says what was said, and could say everything else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from anyscale_k8s_cli import provider_registry
from anyscale_k8s_cli.cli.spec_file import spec_file
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, flags_by_path, leaves, particular_fields
from anyscale_k8s_cli.spec_loading import load

from .conftest import Invoke

SAID = (
    "--name",
    "prod",
    "--cluster-name",
    "demo",
    "--tag",
    "team=ml",
    "--allow-cidr",
    "10.0.0.0/8",
)
_ENTRY = re.compile(r"^(\s*)# ([a-z_]+:.*|- .*)$")


@pytest.mark.parametrize("platform", provider_registry.PLATFORMS)
def test_what_was_said_is_what_is_read(platform: str, invoke: Invoke) -> None:
    ended = invoke("cloud", "init", "--provider", platform, "--region", "here", *SAID)

    assert ended.code == 0, ended.err
    assert "anyscale cloud plan -f cloud.yaml" in ended.out
    assert load(flags={}, file=Path("cloud.yaml"), environment={}).spec == CloudSpec.model_validate(
        {
            "provider": platform,
            "name": "prod",
            "region": "here",
            "cluster": {"name": "demo"},
            "rules": {"tags": {"team": "ml"}},
            "network": {"allow_cidrs": ["10.0.0.0/8"]},
        }
    )


@pytest.mark.parametrize("platform", provider_registry.PLATFORMS)
def test_all_that_the_platform_knows_and_no_more_is_offered(platform: str) -> None:
    known = provider_registry.load(platform, Run()).settings
    text = spec_file({"provider": platform, "name": "prod"}, known)
    everything = "\n".join(_ENTRY.sub(r"\1\2", line) for line in text.splitlines())

    document = yaml.safe_load(everything)
    CloudSpec.model_validate(_without_nothing(document))

    ours = flags_by_path().keys() - (particular_fields() - known)
    assert {path for path, _ in leaves(document)} == ours


def _without_nothing(document: object) -> object:
    if isinstance(document, dict):
        return {key: _without_nothing(item) for key, item in document.items() if item is not None}
    return document


def test_a_file_that_is_there_is_not_overwritten(invoke: Invoke) -> None:
    words = ("cloud", "init", "--provider", "eks", "-o", "json")
    Path("cloud.yaml").write_text("name: mine\n", encoding="utf-8")

    refused = invoke(*words)
    error = json.loads(refused.out)["error"]
    assert (refused.code, error["code"]) == (1, "usage")
    assert "--force" in error["fix"]
    assert Path("cloud.yaml").read_text(encoding="utf-8") == "name: mine\n"

    assert invoke(*words, "--force").code == 0
    assert "provider: eks" in Path("cloud.yaml").read_text(encoding="utf-8")


def test_the_platform_must_be_known(invoke: Invoke) -> None:
    ended = invoke("cloud", "init", "--name", "prod", "-o", "json")

    assert ended.code == 1
    assert json.loads(ended.out)["error"]["code"] == "missing-input"
    assert not Path("cloud.yaml").exists()


def test_it_goes_to_standard_output_too(invoke: Invoke) -> None:
    ended = invoke("cloud", "init", "--provider", "gke", "--out", "-")

    assert yaml.safe_load(ended.out) == {
        "version": "anyscale-k8s/cloud/v1",
        "provider": "gke",
    }
    assert not Path("-").exists()
