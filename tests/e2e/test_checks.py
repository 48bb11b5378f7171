"""Checks before a setup: shown with their verdicts, and waived by their codes."""

from __future__ import annotations

from anyscale_k8s_cli.sandbox.world import World
from tests.processes import UNTRIED, Sandbox

WORLD = World(platforms=("eks",))

PLAN = ("cloud", "plan", "--provider", "eks", "--cluster-name", "demo", "--name", "prod")


def test_a_waived_check_is_not_run_and_stays_visible(sandbox: Sandbox) -> None:
    where = ("--region", "us-west-2")
    waived = ("--waive", "aws-permissions", "--waive", "no-such-check", *UNTRIED)
    mark = sandbox.admin.last_call()

    ended = sandbox.anyscale(*PLAN, *where, *waived, "-o", "json")

    assert ended.code == 0, ended.out + ended.err
    verdicts = {check["code"]: check["status"] for check in ended.document["checks"]}
    assert {code for code, status in verdicts.items() if status == "waived"} == {
        *("aws-permissions", *UNTRIED[1::2])
    }
    assert verdicts["cluster-version"] == "pass"
    asked = {call["operation"]["name"] for call in sandbox.admin.calls(after=mark)}
    assert "SimulatePrincipalPolicy" not in asked
    assert "no-such-check" in ended.err
