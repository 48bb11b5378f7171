"""Killed at any call and given again on another machine, a command comes to the same end.

The run that is given again is killed too, a little later, and so on: what one of them leaves
half done, all that follow must cope with. The calls of a chain wait for each other in an
unbroken run, so that each comes although the one before it was the last of its run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.crashes import (
    DELETE,
    SETUP,
    WITHOUT_GPU,
    after,
    before,
    deleted,
    kill_at,
    set_up,
)
from tests.chaos.likeness import likeness

WORLD = WITHOUT_GPU

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

# From the record of the cloud to its operator, and all the way back.
TO_THE_OPERATOR = (
    before(PLANE, "POST /api/v2/clouds/"),
    after(PLANE, "POST /api/v2/clouds/"),
    before(PLANE, f"PUT {CLOUD}/add_resource"),
    # The first of them is answered 503 for a cloud that was just made.
    after(PLANE, f"PUT {CLOUD}/add_resource", nth=2),
    after(CLUSTER, "POST */secrets", RECORD),
    before(CLUSTER, "PATCH *", OPERATOR),
)
AND_BACK = (
    before(PLANE, f"PUT {CLOUD}/state"),
    after(PLANE, f"DELETE {CLOUD}"),
    after(CLUSTER, "PUT */secrets/*", RECORD),
    after(CLUSTER, "DELETE *", GATEWAY),
    after(CLUSTER, "DELETE *", DEFINITION),
    after(CLUSTER, "DELETE *", LEDGER),
    after(CLUSTER, "DELETE *", "namespaces/anyscale-operator"),
    before("iam", "DeleteOpenIDConnectProvider"),
)
BY_PLAN = (
    after("s3", "CreateBucket"),
    before("s3", "PutBucketCors"),
    after(CLUSTER, "PATCH *", GATEWAY),
)


def test_killed_on_the_way_to_the_operator_and_back(sandbox: Sandbox, unbroken: Unbroken) -> None:
    for moment in TO_THE_OPERATOR:
        kill_at(sandbox, moment, *SETUP)
    set_up(sandbox)
    assert likeness(sandbox.admin.snapshot()) == unbroken.healthy

    for moment in AND_BACK:
        kill_at(sandbox, moment, *DELETE, *unbroken.all_of_it)
    deleted(sandbox, *unbroken.all_of_it)
    assert likeness(sandbox.admin.snapshot()) == unbroken.empty


def test_a_saved_plan_killed_at_the_bucket_which_is_kept(
    sandbox: Sandbox, unbroken: Unbroken, tmp_path: Path
) -> None:
    """What the first run has done by then is less to do, which a plan allows."""
    plan = str(tmp_path / "prod.plan")
    saved = sandbox.anyscale("cloud", "plan", *SETUP[2:-3], "--out", plan)
    assert saved.code == 0, saved.err
    by_plan = ("cloud", "setup", "--plan", plan, "--yes", "-o", "json")
    for moment in BY_PLAN:
        kill_at(sandbox, moment, *by_plan)
    done = sandbox.anyscale(*by_plan, fresh_home=True)
    assert done.code == 0, done.out + done.err
    assert likeness(sandbox.admin.snapshot()) == unbroken.healthy

    # These two go side by side, so that neither may arrive before the first run is killed.
    at_role = before("iam", "DeleteRole")
    sandbox.admin.inject(at_role.fault)
    for moment in (before("s3", "PutBucketTagging"), at_role):
        kill_at(sandbox, moment, *DELETE)
    deleted(sandbox)
    assert likeness(sandbox.admin.snapshot()) == unbroken.kept
