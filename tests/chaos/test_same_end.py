"""However a run on EKS breaks off, the same command comes to the end of an unbroken run.

Calls that write are done and answered with an error: nothing is done twice for it. Runs are
killed at a call, the run that is given again on another machine is killed too, a little later,
and so on: what one of them leaves half done, all that follow must cope with. The calls of a
chain wait for each other in an unbroken run, so that each comes although the one before it was
the last of its run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.crashes import (
    DELETE,
    SETUP,
    WITHOUT_GPU,
    after,
    before,
    bucket_of,
    deleted,
    kill_at,
    set_up,
)
from tests.chaos.errors import of_helm, of_tool, repeated
from tests.chaos.likeness import likeness

WORLD = WITHOUT_GPU

if TYPE_CHECKING:
    from tests.processes import Sandbox

PLANE, CLUSTER = "anyscale", "kubernetes"
CLOUD = "/api/v2/clouds/*"
RECORD = "*/sh.helm.release.v1.anyscale-operator.v1"
OPERATOR = "deployments/anyscale-operator/anyscale-operator"
GATEWAY = "gateways/anyscale-operator/gateway"
LEDGER = "configmaps/anyscale-operator/anyscale-k8s-ledger"
DEFINITION = "customresourcedefinitions/gateways.gateway.networking.k8s.io"

# From the bucket and the record of the cloud to its operator, and all the way back.
TO_THE_GATEWAY = (
    after("s3", "CreateBucket"),
    after(PLANE, "POST /api/v2/clouds/"),
    # The first of them is answered 503 for a cloud that was just made.
    after(PLANE, f"PUT {CLOUD}/add_resource", nth=2),
)
TO_THE_OPERATOR = (
    after(CLUSTER, "PATCH *", GATEWAY),
    before(CLUSTER, "PATCH *", OPERATOR),
)
AND_BACK = (
    after(CLUSTER, "PUT */secrets/*", RECORD),
    after(CLUSTER, "DELETE *", GATEWAY),
    after(CLUSTER, "DELETE *", DEFINITION),
    after(CLUSTER, "DELETE *", LEDGER),
    after(CLUSTER, "DELETE *", "namespaces/anyscale-operator"),
    before("s3", "PutBucketTagging"),
)
# What goes side by side with the first, and with the last, of all these.
BESIDE_THE_BUCKET = (
    before(PLANE, "POST /api/v2/clouds/"),
    before("iam", "DeleteOpenIDConnectProvider"),
)


@dataclass(frozen=True)
class Unbroken:
    """What the world is like before anything and after a setup, and all calls that write.

    With `all_of_it`, delete keeps nothing.
    """

    empty: dict[str, Any]
    healthy: dict[str, Any]
    of_setup: list[dict[str, Any]]
    of_delete: list[dict[str, Any]]
    bucket: str

    @property
    def all_of_it(self) -> tuple[str, str]:
        return ("--delete-bucket", self.bucket)


@pytest.fixture(scope="module")
def unbroken(sandbox: Sandbox) -> Unbroken:
    """Setup and delete without any fault; the world is empty again."""
    empty, start = likeness(sandbox.admin.snapshot()), sandbox.admin.last_call()
    bucket = bucket_of(set_up(sandbox))
    healthy, middle = likeness(sandbox.admin.snapshot()), sandbox.admin.last_call()
    deleted(sandbox, "--delete-bucket", bucket)
    assert likeness(sandbox.admin.snapshot()) == empty
    calls = sandbox.admin.calls(after=start, writes_only=True)
    of_setup = [call for call in calls if call["number"] <= middle]
    of_delete = [call for call in calls if call["number"] > middle]
    return Unbroken(empty, healthy, of_setup, of_delete, bucket)


def test_each_write_is_answered_with_an_error(sandbox: Sandbox, unbroken: Unbroken) -> None:
    runs = repeated(sandbox, [*of_tool(unbroken.of_setup), *of_helm()], *SETUP)
    assert likeness(sandbox.admin.snapshot()) == unbroken.healthy
    assert runs > 1, "helm's own calls are never repeated within a run"

    repeated(sandbox, of_tool(unbroken.of_delete), *DELETE, *unbroken.all_of_it)
    assert likeness(sandbox.admin.snapshot()) == unbroken.empty


def test_killed_on_the_way_to_the_operator_and_back(
    sandbox: Sandbox, unbroken: Unbroken, tmp_path: Path
) -> None:
    """By a plan of the empty world in the end: what is there by then is less to do."""
    plan = str(tmp_path / "prod.plan")
    saved = sandbox.anyscale("cloud", "plan", *SETUP[2:-3], "--out", plan)
    assert saved.code == 0, saved.err
    by_plan = ("cloud", "setup", "--plan", plan, "--yes", "-o", "json")
    meanwhile, at_the_end = BESIDE_THE_BUCKET

    sandbox.admin.inject(meanwhile.fault)
    for moment in TO_THE_GATEWAY:
        kill_at(sandbox, moment, *SETUP)
    for moment in TO_THE_OPERATOR:
        kill_at(sandbox, moment, *by_plan)
    done = sandbox.anyscale(*by_plan, fresh_home=True)
    assert done.code == 0, done.out + done.err
    assert likeness(sandbox.admin.snapshot()) == unbroken.healthy

    for moment in AND_BACK:
        if moment is AND_BACK[-1]:
            sandbox.admin.inject(at_the_end.fault)
        kill_at(sandbox, moment, *DELETE)
    deleted(sandbox)
    left = likeness(sandbox.admin.snapshot())
    kept, was = (
        left.pop(f"buckets {unbroken.bucket}"),
        unbroken.healthy[f"buckets {unbroken.bucket}"],
    )
    assert left == unbroken.empty
    assert was["tags"].keys() - kept["tags"].keys() == {"anyscale-k8s/cluster-uid"}
    assert {**kept, "tags": was["tags"]} == was
