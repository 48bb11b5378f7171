"""Killed at any call and given again, a rotation ends with one key; none in use was revoked."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.sandbox.world import GenericWorld, World
from tests.chaos.crashes import after, before, kill_at
from tests.processes import UNTRIED, Sandbox

WORLD = World(platforms=("generic",), generic=GenericWorld(gpu_nodes=False))

PLANE, CLUSTER = "anyscale", "kubernetes"
WHERE = ("--provider", "generic", "--context", "demo", "--region", "onprem")
SETUP = ("cloud", "setup", *WHERE, "--name", "w", *UNTRIED, "--yes", "-o", "json")
ROTATE = ("cloud", "rotate-token", "w", "--yes", "-o", "json")
DELETE = ("cloud", "delete", "w", *WHERE, "--yes", "-o", "json")
MINT = "POST /api/v2/users/create_api_key"
REVOKE = "DELETE /api/v2/users/admin/api_keys/*"
RECORD = "*/sh.helm.release.v1.anyscale-operator.*"
OPERATOR = "deployments/anyscale-operator/anyscale-operator"
OF_ROTATION = (
    before(PLANE, MINT),
    after(PLANE, MINT),
    after(CLUSTER, "POST */secrets", RECORD),
    before(CLUSTER, "PATCH *", OPERATOR),
    after(CLUSTER, "PATCH *", OPERATOR),
    before(PLANE, REVOKE),
    after(PLANE, REVOKE),
)


def keys(sandbox: Sandbox) -> set[str]:
    """The ids of the operator's keys that were not revoked."""
    found = sandbox.admin.snapshot()["control_plane"]["api_keys"]
    ours = [key for key in found if key["name"].startswith("anyscale-k8s-")]
    return {key["hex_hashed_id"] for key in ours if not key["revoked_at"]}


def told(sandbox: Sandbox, *arguments: str) -> dict[str, Any]:
    """The command from another machine, to a good end."""
    done = sandbox.anyscale(*arguments, fresh_home=True)
    assert done.code == 0, done.out + done.err
    return done.document


def test_a_setup_that_died_with_its_key_makes_another_and_revokes_it(sandbox: Sandbox) -> None:
    told(sandbox, *DELETE, "--ignore-not-found")
    kill_at(sandbox, after(PLANE, MINT), *SETUP)
    lost = keys(sandbox)
    assert len(lost) == 1

    assert told(sandbox, *SETUP)["health"] == "HEALTHY"

    assert len(keys(sandbox)) == 1
    assert not keys(sandbox) & lost


def test_a_rotation_killed_again_and_again(sandbox: Sandbox) -> None:
    """Each run is killed a little later than the one before, and the cloud stays healthy."""
    told(sandbox, *SETUP)
    old = keys(sandbox)
    for moment in OF_ROTATION:
        kill_at(sandbox, moment, *ROTATE)
        between = sandbox.anyscale("cloud", "status", "w", "-o", "json").document
        assert between["health"] == "HEALTHY", moment

    done = told(sandbox, *ROTATE)

    assert done["health"] == "HEALTHY"
    assert keys(sandbox) == {done["key"]["id"]}
    assert not keys(sandbox) & old


def test_a_deletion_killed_at_the_key_is_finished(sandbox: Sandbox) -> None:
    told(sandbox, *SETUP)
    kill_at(sandbox, before(PLANE, REVOKE), *DELETE)
    kill_at(sandbox, before(PLANE, "DELETE /api/v2/organization_collaborators/*"), *DELETE)

    assert told(sandbox, *DELETE)["left"] == []

    assert keys(sandbox) == set()
    assert sandbox.admin.snapshot()["control_plane"]["service_accounts"] == []
