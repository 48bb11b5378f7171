"""Two runs of one install at once: one works, the other says who holds the lock."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.lock import SECONDS_VARIABLE
from tests.by_hand import ByHand
from tests.chaos.crashes import (
    DELETE,
    SETUP,
    WITHOUT_GPU,
    before,
    ended,
    kill_at,
    set_up,
    stopped_at,
)
from tests.chaos.likeness import likeness
from tests.processes import Sandbox, eventually

WORLD = WITHOUT_GPU

LEASE = "/apis/coordination.k8s.io/v1/namespaces/anyscale-operator/leases/anyscale-k8s-lock"
ACCOUNT = "/api/v1/namespaces/anyscale-operator/serviceaccounts/anyscale-operator"
LEDGER = "/api/v1/namespaces/anyscale-operator/configmaps/anyscale-k8s-ledger"
# Nobody is waited for as long as in life.
BRIEF = {SECONDS_VARIABLE: "8"}
CREATES_ROLE = before("iam", "CreateRole")


@pytest.fixture
def healthy(sandbox: Sandbox) -> dict[str, Any]:
    """A cloud to which nothing is to do."""
    set_up(sandbox)
    return likeness(sandbox.admin.snapshot())


@pytest.fixture
def without_role(sandbox: Sandbox, healthy: dict[str, Any]) -> ByHand:
    """Somebody has deleted the cloud's role: a little to do for setup."""
    by_hand = ByHand(sandbox.environment)
    iam = by_hand.aws("iam")
    (role,) = [item["RoleName"] for item in iam.list_roles(PathPrefix="/anyscale-k8s/")["Roles"]]
    iam.delete_role_policy(RoleName=role, PolicyName="anyscale-operator")
    iam.delete_role(RoleName=role)
    return by_hand


def test_at_the_same_time(sandbox: Sandbox) -> None:
    """Both find an empty world and want to make everything; all of it is made once."""
    runs = [sandbox.start(*SETUP, env=BRIEF, fresh_home=True) for _ in range(2)]
    done = [ended(run, limit=240) for run in runs]
    # The second may come so late that the first is through, and then finds nothing to do.
    assert sorted(item.code for item in done) in ([0, 0], [0, 5]), done
    for item in done:
        if item.code == 5:
            error = item.document["error"]
            assert error["code"] == "lock-held"
            assert error["cause"].startswith("held by ")
    there = likeness(sandbox.admin.snapshot())
    made = [name for name in there if "prod" in name and not name.startswith("ledger ")]
    kinds = {name.partition("anyscale-")[0] for name in made}
    assert len(made) == len(kinds) == 4, made
    (cloud,) = sandbox.admin.snapshot()["control_plane"]["clouds"]
    assert len(cloud["resources"]) == 1
    again = set_up(sandbox)["summary"]
    assert (again["create"], again["update"]) == (0, 0)


def test_others_are_told_who_works(
    sandbox: Sandbox, healthy: dict[str, Any], without_role: ByHand
) -> None:
    first = stopped_at(sandbox, CREATES_ROLE, *SETUP, env=BRIEF)
    for command in (SETUP, DELETE):
        done = sandbox.anyscale(*command, env=BRIEF, fresh_home=True)
        assert (done.code, done.document["error"]["code"]) == (5, "lock-held")
        assert f"(process {first.pid})" in done.document["error"]["cause"]
    sandbox.admin.clear_faults()
    done = ended(first, limit=240)
    assert done.code == 0, done.out + done.err
    assert likeness(sandbox.admin.snapshot()) == healthy


def test_a_dead_holder_elsewhere_is_waited_for_and_replaced(
    sandbox: Sandbox, healthy: dict[str, Any], without_role: ByHand
) -> None:
    kill_at(sandbox, CREATES_ROLE, *SETUP, env=BRIEF)
    # On this machine its death is known at once; of another machine nobody can tell.
    elsewhere = {"anyscale-k8s/machine": "another/1"}
    without_role.patch(LEASE, {"metadata": {"annotations": elsewhere}})
    done = sandbox.anyscale(*SETUP, "-v", fresh_home=True)
    assert done.code == 0, done.out + done.err
    assert "waiting for the other run on cloud " in done.err
    assert likeness(sandbox.admin.snapshot()) == healthy


def test_a_lost_lock_starts_nothing_new(
    sandbox: Sandbox, healthy: dict[str, Any], without_role: ByHand
) -> None:
    """What is in flight is finished; what waits for it is left to whoever has the lock."""
    without_role.delete(ACCOUNT)
    first = stopped_at(sandbox, CREATES_ROLE, *SETUP, env=BRIEF)
    without_role.patch(LEASE, {"spec": {"holderIdentity": "somebody"}})
    taken = sandbox.admin.last_call()

    def noticed() -> bool:
        return any(is_read_of_lease(call) for call in sandbox.admin.calls(after=taken))

    eventually(noticed)
    sandbox.admin.clear_faults()
    done = ended(first, limit=240)
    assert (done.code, done.document["error"]["code"]) == (5, "lock-lost")
    results = {item["key"].partition("/")[0]: item["result"] for item in done.document["resources"]}
    assert (results["aws:iam-role"], results["k8s:serviceaccount"]) == ("done", "failed")
    assert not without_role.exists(ACCOUNT)

    without_role.patch(LEASE, {"spec": {"holderIdentity": ""}})
    set_up(sandbox)
    assert set(likeness(sandbox.admin.snapshot())) == set(healthy)


def is_read_of_lease(call: dict[str, Any]) -> bool:
    return call["method"] == "GET" and call["path"] == LEASE


# A run that has looked, and before it writes another one has been there: at a prompt, say.
OVERTAKEN = """
import asyncio, json, os, subprocess, sys
from anyscale_k8s_cli.operations import planning, setup
from anyscale_k8s_cli.operations.requests import SetupRequest
from anyscale_k8s_cli.run import Run

flags = {"provider": "eks", "region": "us-west-2", "cluster.name": "demo", "name": "prod"}
request = SetupRequest(environment=dict(os.environ), flags={**flags, "rules.tags": {"w": "late"}})

async def main():
    run = Run(loop=asyncio.get_running_loop())
    made = await planning.plan(request, run)
    done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    print("-- shown, and overtaken", file=sys.stderr, flush=True)
    report = await setup.apply(made, run)
    run.resources.close()
    return report.as_json()

print(json.dumps(asyncio.run(main())))
"""


def test_what_was_shown_is_not_done_once_another_run_has_been_there(
    sandbox: Sandbox, healthy: dict[str, Any]
) -> None:
    other = ("anyscale", *SETUP, "--expose", "internal")
    told = sandbox.python("-c", OVERTAKEN, *other)
    assert told.code == 0, told.err
    error = told.document["error"]
    assert error["code"] == "options-left-out"
    assert "--expose internal" in error["cause"]
    # Nothing was changed after the other one.
    done = sandbox.anyscale(*SETUP, "--expose", "internal", fresh_home=True)
    assert (done.code, done.document["summary"]["update"]) == (0, 0), done.out
    assert sandbox.anyscale(*SETUP, "--expose", "public").code == 0


def test_a_cloud_stays_internal_without_its_inventory(
    sandbox: Sandbox, healthy: dict[str, Any]
) -> None:
    """Nobody remembers what was said; what is there tells."""
    internal = sandbox.anyscale(*SETUP, "--expose", "internal", fresh_home=True)
    assert internal.code == 0, internal.out + internal.err
    ByHand(sandbox.environment).delete(LEDGER)
    error = sandbox.anyscale(*SETUP, fresh_home=True).document["error"]
    assert (error["code"], error["exit_code"]) == ("options-left-out", 5)
    assert error["fix"].endswith("--expose internal")
    meant = sandbox.anyscale(*SETUP, "--expose", "public", fresh_home=True)
    assert meant.code == 0, meant.out + meant.err
