"""The same on Google Cloud and on Azure: runs killed at any call, given again, one end.

On Azure nothing in the control plane's record can tell who made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from anyscale_k8s_cli.sandbox.world import AksWorld, GkeWorld, World
from tests.chaos.crashes import after, bucket_of, kill_at
from tests.chaos.likeness import likeness
from tests.processes import UNTRIED

WORLD = World(
    platforms=("gke", "aks"), gke=GkeWorld(gpu_nodes=False), aks=AksWorld(gpu_nodes=False)
)

if TYPE_CHECKING:
    from tests.processes import Sandbox

PLANE = "anyscale"
CLOUD = "/api/v2/clouds/*"
STORAGE, ROLES = "microsoft.storage", "microsoft.authorization"
SCOPES = {
    "gke": ("--provider", "gke", "--project-id", "demo", "--region", "us-central1"),
    "aks": ("--provider", "aks", "--resource-group", "demo"),
}

# Moments of setup, and of the delete before it. What is in the cluster, and in which order it
# comes and goes, is the same everywhere, so there is no way in.
SETUPS = {
    "gke": (
        # The first of them is answered 400 for an account that was just made.
        after("iam", "iam.projects.serviceAccounts.setIamPolicy", nth=2),
    ),
    "aks": (
        after(STORAGE, "StorageAccounts_Create"),
        after(ROLES, "RoleAssignments_Create"),
    ),
}
DELETES = {
    "gke": (
        after(PLANE, f"PUT {CLOUD}/state"),
        # Afterwards account and bucket go side by side, and with the last of them nothing is left.
        after("storage", "storage.buckets.setIamPolicy"),
        after("storage", "storage.objects.delete"),
    ),
    "aks": (
        after(PLANE, f"DELETE {CLOUD}"),
        after(ROLES, "RoleAssignments_Delete"),
    ),
}


@dataclass(frozen=True)
class Platform:
    name: str
    sandbox: Sandbox

    @property
    def where(self) -> tuple[str, ...]:
        return (*SCOPES[self.name], "--cluster-name", "demo")

    @property
    def setup(self) -> tuple[str, ...]:
        said = ("--name", self.name, "--network", "none", *UNTRIED, "--yes", "-o", "json")
        return ("cloud", "setup", *self.where, *said)

    def delete(self, bucket: str) -> tuple[str, ...]:
        return ("cloud", "delete", self.name, "--yes", "--delete-bucket", bucket, "-o", "json")

    def set_up(self) -> dict[str, Any]:
        """Setup from another machine, to a healthy end; its result."""
        done = self.sandbox.anyscale(*self.setup, fresh_home=True)
        assert done.code == 0, done.out + done.err
        assert done.document["health"] == "HEALTHY"
        return done.document

    def seen(self) -> dict[str, Any]:
        return likeness(self.sandbox.admin.snapshot())


@pytest.fixture(scope="module", params=SCOPES)
def platform(sandbox: Sandbox, request: pytest.FixtureRequest) -> Platform:
    return Platform(request.param, sandbox)


def test_killed_and_repeated(platform: Platform) -> None:
    """An unbroken setup shows what the broken one has to come to, and so does its beginning.

    The calls of a chain wait for each other, so each comes although the run before it was killed.
    """
    sandbox, empty = platform.sandbox, platform.seen()
    delete = platform.delete(bucket_of(platform.set_up()))
    healthy = platform.seen()
    for moment in DELETES[platform.name]:
        kill_at(sandbox, moment, *delete)
    done = sandbox.anyscale(*delete, fresh_home=True)
    assert done.code == 0, done.out + done.err
    assert done.document["left"] == []
    assert platform.seen() == empty

    for moment in SETUPS[platform.name]:
        kill_at(sandbox, moment, *platform.setup)
    platform.set_up()
    assert platform.seen() == healthy
