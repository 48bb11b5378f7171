"""What a command must be told before anything is asked of a platform."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.operations.workbench import load_spec
from anyscale_k8s_cli.run import Run

SAID = {"provider": "eks", "name": "prod", "region": "us-west-2", "cluster.name": "demo"}


@pytest.mark.parametrize(
    ("kept", "missing"),
    [
        ({"provider": "eks"}, "--region, --cluster-name, --name"),
        ({"provider": "eks", "name": "prod", "cluster.name": "demo"}, "--region"),
        ({"provider": "eks", "name": "prod", "region": "us-west-2"}, "--cluster-name"),
        ({"name": "prod", "region": "us-west-2"}, "--provider, --cluster-name"),
    ],
    ids=["all but the platform", "region", "cluster", "platform"],
)
def test_all_that_is_missing_is_named_at_once(kept: dict[str, str], missing: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        load_spec(kept, None, {}, Run())
    assert caught.value.code is errors.MISSING_INPUT
    assert caught.value.message == f"Missing: {missing}"


def test_the_platforms_own_variables_are_heard() -> None:
    said = {name: value for name, value in SAID.items() if name != "region"}
    loaded, _ = load_spec(said, None, {"AWS_REGION": "eu-west-1"}, Run())
    assert loaded.spec.region == "eu-west-1"


def test_a_flag_wins_over_a_variable() -> None:
    loaded, _ = load_spec(SAID, None, {"AWS_REGION": "eu-west-1"}, Run())
    assert loaded.spec.region == "us-west-2"
