"""What a world file may say."""

from __future__ import annotations

import json

import pytest

from anyscale_k8s_cli.sandbox.world import OwnRole, World

ROLE = {"Name": "data", "DataActions": ["Microsoft.Storage/x/read"]}


def test_a_role_of_a_companys_own_is_read_and_written_alike() -> None:
    world = World.from_json(json.dumps({"aks": {"own_roles": [ROLE]}}))
    assert world.aks.own_roles == (OwnRole("data", DataActions=("Microsoft.Storage/x/read",)),)
    assert World.from_json(json.dumps(world.as_json())) == world


@pytest.mark.parametrize("wrong", ["data_actions", "dataActions", "Permissions"])
def test_a_key_of_a_role_that_there_is_not_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        World.from_json(json.dumps({"aks": {"own_roles": [{**ROLE, wrong: []}]}}))
