"""What is broken in a sandbox, and what is put right again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from anyscale_k8s_cli.sandbox.azure.seed import BARE
from anyscale_k8s_cli.sandbox.controlplane.refusals import Refused
from anyscale_k8s_cli.sandbox.stage import Stage
from anyscale_k8s_cli.sandbox.switches import NothingToSwitch, Switches
from anyscale_k8s_cli.sandbox.world import World


@pytest.fixture
def stage() -> Stage:
    return Stage(World())


def test_a_token_is_over_and_good_again(stage: Stage) -> None:
    switches, accounts = Switches(stage), stage.plane.accounts
    switches.break_("token", {})
    with pytest.raises(Refused):
        accounts.admit(stage.token)
    assert switches.mend("token", {}) == [stage.plane.seed.email]
    assert accounts.admit(stage.token).email == stage.plane.seed.email


@pytest.fixture
async def on_aks(stage: Stage) -> AsyncIterator[Stage]:
    """With the one platform that has to run for what it holds to be there."""
    await stage.aks.start()
    yield stage
    await stage.aks.stop()


async def test_load_balancers_answer_again_everywhere(on_aks: Stage) -> None:
    stage = on_aks
    stage.eks.load_balancers.answers = False
    stage.gke.cluster().load_balancers.answers = False
    stage.aks.load_balancers.answers = False
    assert len(Switches(stage).mend("load-balancer", {})) == 3
    assert stage.eks.load_balancers.answers
    assert stage.gke.cluster().load_balancers.answers
    assert stage.aks.load_balancers.answers


async def test_what_azures_owner_took_away_comes_back(on_aks: Stage) -> None:
    stage = on_aks
    switches, world = Switches(stage), stage.aks.azure.world
    switches.break_("tenant", {})
    assert not world.directory.anyscale_known
    switches.mend("tenant", {})
    assert world.directory.anyscale_known

    switches.break_("workload-identity", {"platform": "aks"})
    assert not world.clusters.named(stage.aks.main).seed.workload_identity
    switches.mend("workload-identity", {"platform": "aks"})
    assert world.clusters.named(stage.aks.main).seed.workload_identity
    assert not world.clusters.named(BARE.name).seed.workload_identity


@pytest.mark.parametrize("verb", ["break_", "mend"])
def test_what_cannot_be_switched_is_told_with_what_can(stage: Stage, verb: str) -> None:
    with pytest.raises(NothingToSwitch, match=r"there are: .*load-balancer.*token"):
        getattr(Switches(stage), verb)("weather", {})


def test_without_a_cloud_there_is_no_registration_to_break(stage: Stage) -> None:
    with pytest.raises(NothingToSwitch, match="no registration to break now"):
        Switches(stage).break_("registration", {})
