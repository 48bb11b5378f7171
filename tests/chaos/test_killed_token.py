"""Killed at any call and given again, a rotation ends with one key; none in use was revoked."""

from __future__ import annotations

import base64
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli.cluster.context import from_context
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.world import GenericWorld, World
from tests.chaos.crashes import after, before, kill_at
from tests.processes import UNTRIED, Sandbox, eventually

WORLD = World(platforms=("generic",), generic=GenericWorld(gpu_nodes=False))

PLANE, CLUSTER = "anyscale", "kubernetes"
WHERE = ("--provider", "generic", "--context", "demo", "--region", "onprem")
SAID = ("--name", "w", "--network", "none", *UNTRIED, "--yes", "-o", "json")
SETUP = ("cloud", "setup", *WHERE, *SAID)
ROTATE = ("cloud", "rotate-token", "w", "--yes", "-o", "json")
DELETE = ("cloud", "delete", "w", *WHERE, "--yes", "-o", "json")
MINT = "POST /api/v2/users/create_api_key"
REVOKE = "DELETE /api/v2/users/admin/api_keys/*"
OPERATOR_AT = "anyscale-operator"
OPERATOR = f"deployments/{OPERATOR_AT}/anyscale-operator"
OF_ROTATION = (
    after(PLANE, MINT),
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


def in_use(sandbox: Sandbox) -> str:
    """The id of the key that the cluster has for the operator."""
    access = from_context("demo", Path(sandbox.environment["KUBECONFIG"]))
    secret = Kubernetes(access, Run()).get("v1", "Secret", "anyscale-cli-token", OPERATOR_AT)
    assert secret is not None
    return sha256(base64.b64decode(secret["data"]["ANYSCALE_CLI_TOKEN"])).hexdigest()


def is_well(sandbox: Sandbox) -> bool:
    (cloud,) = sandbox.admin.snapshot()["control_plane"]["clouds"]
    (resource,) = cloud["resources"]
    return bool(resource["operator_status"] == "HEALTHY")


def told(sandbox: Sandbox, *arguments: str) -> dict[str, Any]:
    """The command from another machine, to a good end."""
    done = sandbox.anyscale(*arguments, fresh_home=True)
    assert done.code == 0, done.out + done.err
    return done.document


@pytest.fixture(scope="module")
def lost(sandbox: Sandbox) -> set[str]:
    """The keys of a setup that died with them; it was given again, to a healthy end."""
    kill_at(sandbox, after(PLANE, MINT), *SETUP)
    found = keys(sandbox)
    assert told(sandbox, *SETUP)["health"] == "HEALTHY"
    return found


def test_a_setup_that_died_with_its_key_makes_another_and_revokes_it(
    sandbox: Sandbox, lost: set[str]
) -> None:
    assert len(lost) == 1
    assert len(keys(sandbox)) == 1
    assert not keys(sandbox) & lost


def test_a_rotation_killed_again_and_again(sandbox: Sandbox, lost: set[str]) -> None:
    """Each run is killed a little later than the one before, and the operator stays well."""
    old = keys(sandbox)
    for moment in OF_ROTATION:
        kill_at(sandbox, moment, *ROTATE)
        assert in_use(sandbox) in keys(sandbox), moment
        eventually(lambda: is_well(sandbox))

    done = told(sandbox, *ROTATE)

    assert done["health"] == "HEALTHY"
    assert keys(sandbox) == {done["key"]["id"]}
    assert not keys(sandbox) & old


def test_a_deletion_killed_at_the_key_is_finished(sandbox: Sandbox, lost: set[str]) -> None:
    kill_at(sandbox, before(PLANE, REVOKE), *DELETE)
    kill_at(sandbox, before(PLANE, "DELETE /api/v2/organization_collaborators/*"), *DELETE)

    assert told(sandbox, *DELETE)["left"] == []

    assert keys(sandbox) == set()
    assert sandbox.admin.snapshot()["control_plane"]["service_accounts"] == []
