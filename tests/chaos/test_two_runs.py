"""Two runs of one install at once: one works, the other says who holds the lock."""

from __future__ import annotations

from dataclasses import dataclass
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
    set_up,
    stopped_at,
)
from tests.chaos.likeness import likeness
from tests.processes import Ended, Sandbox, eventually

WORLD = WITHOUT_GPU

LEASE = "/apis/coordination.k8s.io/v1/namespaces/anyscale-operator/leases/anyscale-k8s-lock"
ACCOUNT = "/api/v1/namespaces/anyscale-operator/serviceaccounts/anyscale-operator"
LEDGER = "/api/v1/namespaces/anyscale-operator/configmaps/anyscale-k8s-ledger"
# Nobody is waited for as long as in life.
BRIEF = {SECONDS_VARIABLE: "8"}
CREATES_ROLE = before("iam", "CreateRole")
# A run has looked, and shown what it wants to do.
ASKS_FOR_LOCK = before("kubernetes", "GET *", "leases/anyscale-operator/anyscale-k8s-lock")


@dataclass(frozen=True)
class Both:
    """How two runs at the same time ended, and what they have made."""

    ends: list[Ended]
    seen: dict[str, Any]

    @property
    def healthy(self) -> dict[str, Any]:
        """A cloud to which nothing is to do."""
        return likeness(self.seen)


@pytest.fixture(scope="module")
def both(sandbox: Sandbox) -> Both:
    """Both find an empty world and want to make everything."""
    runs = [sandbox.start(*SETUP, env=BRIEF, fresh_home=True) for _ in range(2)]
    ends = [ended(run, limit=240) for run in runs]
    return Both(ends, sandbox.admin.snapshot())


@pytest.fixture
def without_role(sandbox: Sandbox, both: Both) -> ByHand:
    """Somebody has deleted the cloud's role: a little to do for setup."""
    by_hand = ByHand(sandbox.environment)
    iam = by_hand.aws("iam")
    (role,) = [item["RoleName"] for item in iam.list_roles(PathPrefix="/anyscale-k8s/")["Roles"]]
    iam.delete_role_policy(RoleName=role, PolicyName="anyscale-operator")
    iam.delete_role(RoleName=role)
    return by_hand


def test_at_the_same_time(sandbox: Sandbox, both: Both) -> None:
    """All of it is made once."""
    # The second may come so late that the first is through, and then finds nothing to do.
    assert sorted(item.code for item in both.ends) in ([0, 0], [0, 5]), both.ends
    for item in both.ends:
        if item.code == 5:
            error = item.document["error"]
            assert error["code"] == "lock-held"
            assert error["cause"].startswith("held by ")
    made = [name for name in both.healthy if "prod" in name and not name.startswith("ledger ")]
    kinds = {name.partition("anyscale-")[0] for name in made}
    assert len(made) == len(kinds) == 4, made
    (cloud,) = both.seen["control_plane"]["clouds"]
    assert len(cloud["resources"]) == 1
    again = set_up(sandbox)["summary"]
    assert (again["create"], again["update"]) == (0, 0)


def test_others_are_told_who_works(sandbox: Sandbox, both: Both, without_role: ByHand) -> None:
    first = stopped_at(sandbox, CREATES_ROLE, *SETUP, env=BRIEF)
    for command in (SETUP, DELETE):
        done = sandbox.anyscale(*command, env=BRIEF, fresh_home=True)
        assert (done.code, done.document["error"]["code"]) == (5, "lock-held")
        assert f"(process {first.pid})" in done.document["error"]["cause"]
    sandbox.admin.clear_faults()
    done = ended(first, limit=240)
    assert done.code == 0, done.out + done.err
    assert likeness(sandbox.admin.snapshot()) == both.healthy


def test_a_lost_lock_starts_nothing_new_and_a_silent_holder_is_replaced(
    sandbox: Sandbox, both: Both, without_role: ByHand
) -> None:
    """What is in flight is finished; what waits for it is left to whoever has the lock."""
    without_role.delete(ACCOUNT)
    first = stopped_at(sandbox, CREATES_ROLE, *SETUP, env=BRIEF)
    # On this machine a holder's death is known at once; of another machine nobody can tell.
    elsewhere = {"annotations": {"anyscale-k8s/machine": "another/1"}}
    without_role.patch(LEASE, {"metadata": elsewhere, "spec": {"holderIdentity": "somebody"}})
    taken = sandbox.admin.last_call()

    def noticed() -> bool:
        return any(is_read_of_lease(call) for call in sandbox.admin.calls(after=taken))

    eventually(noticed)
    sandbox.admin.clear_faults()
    lost = ended(first, limit=240)
    assert (lost.code, lost.document["error"]["code"]) == (5, "lock-lost")
    results = {item["key"].partition("/")[0]: item["result"] for item in lost.document["resources"]}
    assert (results["aws:iam-role"], results["k8s:serviceaccount"]) == ("done", "failed")
    assert not without_role.exists(ACCOUNT)

    done = sandbox.anyscale(*SETUP, "-v", fresh_home=True)
    assert done.code == 0, done.out + done.err
    assert "waiting for the other run on cloud " in done.err
    assert likeness(sandbox.admin.snapshot()).keys() == both.healthy.keys()


def is_read_of_lease(call: dict[str, Any]) -> bool:
    return call["method"] == "GET" and call["path"] == LEASE


def test_what_was_shown_is_not_done_once_another_run_has_been_there(
    sandbox: Sandbox, both: Both
) -> None:
    """It stops at what the other one was told; what is there tells it too, without inventory."""
    first = stopped_at(sandbox, ASKS_FOR_LOCK, *SETUP, "--tag", "w=late")
    other = sandbox.anyscale(*SETUP, "--expose", "internal", fresh_home=True)
    assert other.code == 0, other.out + other.err
    made = likeness(sandbox.admin.snapshot())
    sandbox.admin.clear_faults()
    error = ended(first, limit=240).document["error"]
    assert error["code"] == "options-left-out"
    assert "--expose internal" in error["cause"]
    assert likeness(sandbox.admin.snapshot()) == made

    ByHand(sandbox.environment).delete(LEDGER)
    error = sandbox.anyscale(*SETUP, fresh_home=True).document["error"]
    assert (error["code"], error["exit_code"]) == ("options-left-out", 5)
    assert error["fix"].endswith("--expose internal")
