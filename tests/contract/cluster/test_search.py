"""What was registered by hand is found in the cluster, in whichever namespace it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane.models import Cloud, DecoratedCloudResource
from anyscale_k8s_cli.operations import search
from anyscale_k8s_cli.operations.behind import Behind, astray
from anyscale_k8s_cli.operations.health import health_of
from anyscale_k8s_cli.operations.requests import DeleteRequest
from anyscale_k8s_cli.operations.search import FoundInstall, Searcher
from anyscale_k8s_cli.provider import Cluster, ClusterState, Search, install_on
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, Scope

from .site import Known, spec_again

CLOUD = Cloud.model_validate(
    {"id": "cld_1", "name": "reg", "provider": "AWS", "region": "eu-west-1", "state": "ACTIVE"}
)
SAID = {"provider": "eks", "region": "eu-west-1", "cluster.name": "one"}


class Account:
    """A platform whose account holds nothing of ours."""

    name, control_plane_name, required = "eks", "AWS", ()

    def __init__(self, world: Any) -> None:
        self.cluster = Cluster("one", "cluster/one", "1", "eu-west-1", "1.33", world.access())

    def search(self, scope: Any, name: str) -> Search:
        return Search((), ("the account",))

    def discover(self, spec: Any) -> Cluster:
        return self.cluster

    def cluster_state(self, install: Any) -> ClusterState:
        return ClusterState.PRESENT

    def locate(self, install: Any) -> CloudSpec:
        return spec_again(install, "one")

    def find_owned(self, scope: Any, install: Any) -> list[Any]:
        return [Known(install, "the bucket", None)]


def resource(name: str) -> DecoratedCloudResource:
    return DecoratedCloudResource.model_validate(
        {"name": name, "provider": "AWS", "region": "eu-west-1", "cloud_resource_id": "cldrsrc_1"}
    )


@pytest.fixture
def account(world: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account(world)
    monkeypatch.setattr(search, "load", lambda name, run: made)
    return made


def registered(account: Account, namespace: str) -> str:
    spec = CloudSpec(provider="eks", name="reg", namespace=namespace)
    return install_on(account.cluster, spec).resource_name


def found(name: str, **flags: str) -> FoundInstall:
    clouds = SimpleNamespace(
        plane=SimpleNamespace(host="here"),
        find_clouds=lambda _: [CLOUD],
        list_resources=lambda _: [resource(name)],
    )
    request = DeleteRequest(name="reg", flags={**SAID, **flags})
    [install] = Searcher(request, cast("Any", clouds), Run()).find().installs
    return install


def test_the_namespace_for_which_it_is_registered_is_found(world: Any, account: Account) -> None:
    name = registered(account, "second")
    assert found(name).registered is None

    world.kubernetes.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "second"}}
    )

    there = found(name)
    assert there.install.namespace == "second"
    assert there.registered is not None


def test_where_it_is_not_there_yet_the_command_has_a_place_for_it(account: Account) -> None:
    name = registered(account, "second")
    told = Behind(CLOUD, resource(name), health_of(None), None, None)

    cause = astray(told, [name], Scope(), Run())

    assert cause.command == (
        "anyscale cloud status reg --provider eks --region eu-west-1 --cluster-name NAME "
        "--namespace NAMESPACE"
    )
    assert "register" in cause.evidence[0]
    elsewhere = astray(
        Behind(CLOUD, None, health_of(None), found(name), None), [name], Scope(), Run()
    )
    assert elsewhere.text.endswith("is not found in namespace anyscale-operator")


def test_what_nobody_finds_is_told_with_the_scope_that_finds_it() -> None:
    problem = errors.CliError(errors.CLUSTER_UNREACHABLE, "the cluster does not answer")
    told = Behind(CLOUD, None, health_of(None), None, problem)

    cause = astray(told, [], Scope(), Run())

    assert cause.evidence[0] == str(problem)
    assert cause.text == "no cluster of yours is registered in the cloud"
    assert cause.evidence[1].endswith(
        "anyscale cloud delete reg --provider PROVIDER --region eu-west-1 --cluster-name NAME "
        "--namespace NAMESPACE"
    )


def test_of_a_setup_that_was_killed_all_is_listed_with_both_ways_on(account: Account) -> None:
    install = found(registered(account, "second"))
    told = Behind(CLOUD, None, health_of(None), install, None)

    cause = astray(told, [], Scope(), Run())

    assert cause.text.startswith("no cluster of yours is registered in the cloud: ")
    assert "the bucket" in cause.text
    where = "--provider eks --region eu-west-1 --cluster-name one"
    assert cause.evidence == (f"to remove what is left: anyscale cloud delete reg {where}",)
    assert cause.command.startswith(f"anyscale cloud setup {where} --name reg")


def test_each_platform_is_asked_for_by_what_it_needs() -> None:
    told = Behind(CLOUD, resource("aks-1f3a9c2e"), health_of(None), None, None)
    scope = Scope.model_validate({"account": {"resource_group": "demo"}, "namespace": "ray"})

    command = astray(told, ["aks-1f3a9c2e"], scope, Run()).command

    assert "--provider aks" in command
    assert "--resource-group demo" in command
    assert "--subscription-id SUBSCRIPTION-ID" in command
    assert command.endswith("--cluster-name NAME --namespace ray")
