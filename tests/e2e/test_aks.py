"""A cloud on AKS, from nothing to nothing, and what the operator says of a wrong wire.

The commands are run once, in order; each test looks at another side of what they left. That
each wire is told by its own check and mended, `test_faults` tries.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.world import AksWorld, World
from tests.by_hand import AzureByHand
from tests.e2e.story import Story
from tests.processes import UNTRIED, Desk, Sandbox, eventually, started

WHERE = ("--provider", "aks", "--resource-group", "demo", "--cluster-name", "demo", "--name", "g")
# Ray's pods have an identity of their own, which is made, kept and removed with all the rest.
SAID = (*WHERE, "--workload-identity", "separate")
# A wire that is broken, and what it is told by.
WIRE, TOLD_BY = "client-registered", "anyscale_operator_iam_identity"


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    world = World(platforms=("aks",), aks=AksWorld(gpu_nodes=False))
    with started(desks(), homes, world) as sandbox:
        made = Story(sandbox)
        made.tell("setup", "setup", *SAID, *UNTRIED, "--yes", "--probe")
        made.tell("setup again", "setup", *SAID, *UNTRIED, "--yes")
        break_and_mend(made)
        take_down(made)
        yield made


def break_and_mend(story: Story) -> None:
    story.sandbox.admin.break_(WIRE, platform="aks")
    story.tell("status at once", "status", "g")
    # Whoever is registered already is not asked again.
    AzureByHand(story.sandbox.environment).restart("anyscale-operator")
    eventually(lambda: health(story.sandbox) != "HEALTHY", 60)

    def told() -> bool:
        """The operator meets one refusal after another, as what it holds ends."""
        status = story.tell("status then", "status", "g").document
        return TOLD_BY in f"{status.get('cause')}{status.get('evidence')}"

    eventually(told, 60)
    story.tell("mended", "setup", *SAID, *UNTRIED, "--yes")


def health(sandbox: Sandbox) -> str:
    """What the operator has reported, seen without a command: this is asked many times."""
    [cloud] = sandbox.admin.snapshot()["control_plane"]["clouds"]
    [resource] = cloud["resources"]
    return str(resource["operator_status"])


def take_down(story: Story) -> None:
    """Each time from another machine, whose home is empty; names of clusters have no case."""
    where = ("--resource-group", "DEMO", "--cluster-name", "Demo")
    deleted = story.tell("delete", "delete", "g", *where, "--yes", fresh_home=True)
    [kept] = deleted.document["kept"]
    words = shlex.split(kept["command"])[2:]
    story.tell("delete account", *words, "--yes", fresh_home=True)


def azure(seen: dict[str, Any]) -> dict[str, Any]:
    """The subscription, without what the cluster's own balancer was made for."""
    return {key: value for key, value in seen["azure"].items() if key != "load_balancers"}


def test_setup_makes_everything_and_ends_healthy(story: Story) -> None:
    assert set(story["setup"].changes.values()) == {"create"}
    assert story["setup"].done["health"] == "HEALTHY"


def test_setup_again_changes_nothing(story: Story) -> None:
    assert set(story["setup again"].changes.values()) == {"none"}
    assert story["setup again"].writes == []
    assert story["setup again"].done["health"] == "HEALTHY"


def test_what_is_registered_is_the_principal_and_the_chart_gets_the_client(story: Story) -> None:
    (cloud,) = story["setup"].seen["control_plane"]["clouds"]
    (resource,) = cloud["resources"]
    registered = resource["kubernetes_config"]["anyscale_operator_iam_identity"]
    identities = story["setup"].seen["azure"]["identities"]
    ours = identities[next(key for key in identities if key.endswith("-operator"))]
    assert registered == ours["principal"]
    accounts = story["setup"].seen["kubernetes"]["aks/demo"]
    annotations = [
        item["metadata"]["annotations"]["azure.workload.identity/client-id"]
        for key, item in accounts.items()
        if key.startswith("serviceaccounts/") and item["metadata"]["name"] == "anyscale-operator"
    ]
    assert len(annotations) == 1
    assert annotations[0] != registered


def test_pods_of_workloads_are_another_than_the_operator(story: Story) -> None:
    """By use: a pod as one of Ray's is asked who it is."""
    accounts = story["setup"].seen["kubernetes"]["aks/demo"]
    client = {
        item["metadata"]["name"]: item["metadata"]["annotations"].get(
            "azure.workload.identity/client-id"
        )
        for key, item in accounts.items()
        if key.startswith("serviceaccounts/anyscale-operator/anyscale-")
    }
    (asked,) = [item for item in story["setup"].done["probe"] if item["code"] == "pod-storage"]
    assert asked["status"] == "pass"
    assert client["anyscale-workloads"] in asked["detail"]
    assert client["anyscale-operator"] not in asked["detail"]


def test_a_broken_wire_is_told_by_its_cause(story: Story) -> None:
    status = story["status then"]
    assert status.ended.code != 0
    assert TOLD_BY in status.document["cause"] + "".join(status.document["evidence"])
    assert status.document["command"].startswith("anyscale cloud setup --provider aks")


def test_who_is_registered_is_looked_at_before_the_operator_fails(story: Story) -> None:
    """An operator that was let in goes on; the next time it asks it will not be."""
    status = story["status at once"]
    assert status.ended.code == 6
    assert status.document["cause"].startswith("the registration aks-")
    assert TOLD_BY in status.document["cause"]


def test_setup_sees_and_mends_it(story: Story) -> None:
    setup = story["mended"]
    changes = {change for change in setup.changes.values() if change != "none"}
    assert changes, "nothing is seen of it"
    assert changes <= {"create", "update"}
    assert setup.done["health"] == "HEALTHY"


def test_everything_goes_but_the_account(story: Story) -> None:
    deleted = story["delete"]
    assert deleted.done["left"] == []
    [kept] = deleted.document["kept"]
    assert kept["kind"] == "storage-account"
    assert deleted.seen["control_plane"]["clouds"] == []
    after = azure(deleted.seen)
    name = kept["key"].rpartition("/")[2]
    assert "anyscale-k8s-cluster-uid" not in after["storage_accounts"].pop(name)["tags"]
    assert after == azure(story.beginning)


def test_the_account_goes_when_it_is_named(story: Story) -> None:
    assert story["delete account"].done["kept"] == []
    assert azure(story["delete account"].seen) == azure(story.beginning)


def test_entra_lets_only_those_in_that_it_knows(new_sandbox: Callable[..., Sandbox]) -> None:
    aks = AksWorld(entra=True, azure_rbac=True, local_accounts=False)
    sandbox = new_sandbox(World(platforms=("aks",), aks=aks))
    ended = sandbox.anyscale(
        *("cloud", "setup", *WHERE, "--yes", "-o", "json"), env=sandbox.admin.outsider("aks")
    )
    error = ended.document["error"]
    assert error["exit_code"] == 4
    assert 'az role assignment create --role "Azure Kubernetes Service RBAC' in error["fix"]
