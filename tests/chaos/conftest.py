"""The same command after any crash: processes, and sandboxes with faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.chaos.crashes import deleted, set_up
from tests.chaos.likeness import likeness
from tests.processes import Sandbox, desk, desks, forks, helm, homes, new_sandbox, sandbox

__all__ = ["desk", "desks", "forks", "helm", "homes", "new_sandbox", "sandbox"]


@dataclass(frozen=True)
class Unbroken:
    """What a sandbox's world is like before anything, and after commands that nothing broke.

    `bucket` is the name of the cloud's bucket, which `kept` still has.
    """

    empty: dict[str, Any]
    healthy: dict[str, Any]
    kept: dict[str, Any]
    bucket: str

    @property
    def all_of_it(self) -> tuple[str, str]:
        """The option of delete with which nothing at all is kept."""
        return ("--delete-bucket", self.bucket)


@pytest.fixture(scope="module")
def unbroken(sandbox: Sandbox) -> Unbroken:
    """Setup and delete without any fault; the world is empty again."""
    empty = likeness(sandbox.admin.snapshot())
    set_up(sandbox)
    healthy = likeness(sandbox.admin.snapshot())
    (bucket,) = deleted(sandbox)["kept"]
    kept = likeness(sandbox.admin.snapshot())
    name = bucket["key"].partition("/")[2]
    found = Unbroken(empty, healthy, kept, name)
    deleted(sandbox, *found.all_of_it)
    assert likeness(sandbox.admin.snapshot()) == empty
    return found
