"""Checks before a setup: shown with their verdicts, and waived by their codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyscale_k8s_cli.sandbox.world import World

if TYPE_CHECKING:
    from tests.processes import Ended, Sandbox

WORLD = World(platforms=("eks",))

PLAN = ("cloud", "plan", "--provider", "eks", "--cluster-name", "demo", "--name", "prod")


def verdicts(ended: Ended) -> dict[str, str]:
    assert ended.code == 0, ended.out + ended.err
    return {check["code"]: check["status"] for check in ended.document["checks"]}


def test_a_waived_check_is_not_run_and_stays_visible(sandbox: Sandbox) -> None:
    where = ("--region", "us-west-2")
    run = verdicts(sandbox.anyscale(*PLAN, *where, "-o", "json"))
    ended = sandbox.anyscale(
        *PLAN, *where, "--waive", "aws-permissions", "--waive", "no-such-check", "-o", "json"
    )

    assert run["aws-permissions"] == "pass"
    assert verdicts(ended) == {**run, "aws-permissions": "waived"}
    assert "no-such-check" in ended.err
