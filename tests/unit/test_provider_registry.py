"""How providers are found, and what is said of those that cannot be used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from anyscale_k8s_cli import errors, provider_registry
from anyscale_k8s_cli.run import Run

WITHOUT = (
    "import sys; sys.modules[sys.argv.pop(1)] = None; sys.argv[0] = 'anyscale'\n"
    "from anyscale_k8s_cli.cli.main import main\n"
    "sys.exit(main())"
)


@pytest.mark.parametrize(("said", "meant"), [("aws", "eks"), ("AWS", "eks"), ("EKS", "eks")])
def test_the_vendors_names_mean_platforms(said: str, meant: str) -> None:
    assert provider_registry.canonical(said) == meant
    assert provider_registry.load(said, Run()).name == meant


@pytest.mark.parametrize("name", ["nebulous", "planned"])
def test_a_platform_that_nobody_brings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_registry, "PLATFORMS", (*provider_registry.PLATFORMS, "planned"))
    with pytest.raises(errors.CliError) as raised:
        provider_registry.load(name, Run())

    assert raised.value.code is errors.PROVIDER_UNAVAILABLE
    assert "eks" in raised.value.fix


def test_a_platform_whose_sdk_is_missing_names_its_extra() -> None:
    child = subprocess.run(
        [
            *(sys.executable, "-c", WITHOUT, "boto3"),
            *("cloud", "permissions", "--provider", "eks", "-o", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert child.returncode == 1
    problem = json.loads(child.stdout)["error"]
    assert problem["code"] == "package-missing"
    assert problem["fix"] == "pip install 'anyscale-k8s-cli[aws]'"
