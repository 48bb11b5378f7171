"""Killed at any call and given again on another machine, a command comes to the same end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from anyscale_k8s_cli.sandbox.world import World
from tests.chaos.crashes import DELETE, SETUP, Moment, after, before, deleted, kill_at, set_up
from tests.chaos.likeness import likeness

WORLD = World(platforms=("eks",))

if TYPE_CHECKING:
    from tests.chaos.conftest import Unbroken
    from tests.processes import Sandbox

PLANE, CLUSTER = "anyscale", "kubernetes"
CLOUD = "/api/v2/clouds/*"
RECORD = "*/sh.helm.release.v1.anyscale-operator.v1"
OPERATOR = "deployments/anyscale-operator/anyscale-operator"
GATEWAY = "gateways/anyscale-operator/gateway"
LEDGER = "configmaps/anyscale-operator/anyscale-k8s-ledger"
DEFINITION = "customresourcedefinitions/gateways.gateway.networking.k8s.io"

# A moment of setup, and one of the delete that follows.
MOMENTS = [
    (before(PLANE, "POST /api/v2/clouds/"), before(PLANE, f"PUT {CLOUD}/state")),
    (after(PLANE, "POST /api/v2/clouds/"), after(PLANE, f"DELETE {CLOUD}")),
    (before(PLANE, f"PUT {CLOUD}/add_resource"), after(CLUSTER, "PUT */secrets/*", RECORD)),
    # The first of them is answered 503 for a cloud that was just made.
    (after(PLANE, f"PUT {CLOUD}/add_resource", nth=2), after(CLUSTER, "DELETE *", GATEWAY)),
    (after("s3", "CreateBucket"), after(CLUSTER, "DELETE *", LEDGER)),
    (before("s3", "PutBucketCors"), after(CLUSTER, "DELETE *", "namespaces/anyscale-operator")),
    (after(CLUSTER, "POST */secrets", RECORD), before("iam", "DeleteOpenIDConnectProvider")),
    (before(CLUSTER, "PATCH *", OPERATOR), after(CLUSTER, "DELETE *", DEFINITION)),
    (after(CLUSTER, "PATCH *", GATEWAY), before("s3", "PutBucketTagging")),
]


@pytest.mark.parametrize(("of_setup", "of_delete"), MOMENTS, ids=str)
def test_killed_and_repeated(
    sandbox: Sandbox, unbroken: Unbroken, of_setup: Moment, of_delete: Moment
) -> None:
    """One after the other on one sandbox, so that setup and delete take turns ten times."""
    kill_at(sandbox, of_setup, *SETUP)
    set_up(sandbox)
    assert likeness(sandbox.admin.snapshot()) == unbroken.healthy
    kill_delete(sandbox, unbroken, of_delete)


def test_a_saved_plan_can_be_repeated(sandbox: Sandbox, unbroken: Unbroken, tmp_path: Path) -> None:
    """What the first run has done by then is less to do, which a plan allows."""
    plan = str(tmp_path / "prod.plan")
    saved = sandbox.anyscale("cloud", "plan", *SETUP[2:-3], "--out", plan)
    assert saved.code == 0, saved.err
    by_plan = ("cloud", "setup", "--plan", plan, "--yes", "-o", "json")
    kill_at(sandbox, after("iam", "CreateRole"), *by_plan)
    done = sandbox.anyscale(*by_plan, fresh_home=True)
    assert done.code == 0, done.out + done.err
    assert likeness(sandbox.admin.snapshot()) == unbroken.healthy
    kill_delete(sandbox, unbroken, before("iam", "DeleteRole"))


def kill_delete(sandbox: Sandbox, unbroken: Unbroken, moment: Moment) -> None:
    # The tags are touched only where the bucket stays.
    keeps = moment.route == "PutBucketTagging"
    options = () if keeps else unbroken.all_of_it
    kill_at(sandbox, moment, *DELETE, *options)
    deleted(sandbox, *options)
    assert likeness(sandbox.admin.snapshot()) == (unbroken.kept if keeps else unbroken.empty)
