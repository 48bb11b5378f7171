"""Whether a deletion that finds little is a success: by what is the cloud's own."""

from __future__ import annotations

from typing import Any, cast

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.operations.removal import Kept
from anyscale_k8s_cli.operations.requests import DeleteRequest
from anyscale_k8s_cli.operations.search import Findings
from anyscale_k8s_cli.operations.survey import Parts, Teardown
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.resource import Change, Decision, Ownership

NOBODY = cast("Any", None)


def teardown(owned: Ownership, *, ignored: bool = False) -> Teardown:
    """One thing is still there, and stays."""
    resource = type("Plugin", (), {"key": "plugin", "kind": "plugin", "title": "the plugin"})()
    item = PlannedChange(resource, Decision(Change.KEEP, owned, "used as it was found"), NOBODY)
    request = DeleteRequest(name="prod", ignore_not_found=ignored)
    found = Findings("prod", (), (), ("here",), ())
    return Teardown(request, found, NOBODY, None, Parts(inside=(item,)), (Kept.of(item),))


def test_its_own_that_is_kept_is_something_found() -> None:
    assert teardown(Ownership.OURS).problem is None


@pytest.mark.parametrize("owned", [Ownership.FOREIGN, Ownership.ADOPTED])
def test_what_is_not_its_own_is_not(owned: Ownership) -> None:
    problem = teardown(owned).problem
    assert problem is not None
    assert problem.code is errors.CLOUD_NOT_FOUND
    assert problem.cause == "what is still there is not its own, or not its alone: the plugin"
    assert teardown(owned, ignored=True).problem is None
