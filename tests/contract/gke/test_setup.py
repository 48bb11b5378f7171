"""What setup makes, finds changed, mends, and will not touch."""

from __future__ import annotations

from .conftest import World

ALL = {"gcs-bucket", "service-account", "gcs-bucket-access"}


def test_everything_is_made_once(world: World) -> None:
    assert world.changes() == dict.fromkeys(ALL, "create")
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")
    assert not world.writes(world.setup)
    assert len(world.prove(world.cloud_side())) == 2
