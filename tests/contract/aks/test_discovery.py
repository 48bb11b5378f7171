"""What the provider finds out, and how it fails to."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.aks import codes
from anyscale_k8s_cli.providers.aks.discovery import AksFacts
from anyscale_k8s_cli.providers.aks.load_balancer import MOST_TAGS
from anyscale_k8s_cli.providers.azureblob import codes as azure_codes
from anyscale_k8s_cli.sandbox.azure.directory import AKS_SERVER_APP_ID
from anyscale_k8s_cli.sandbox.azure.seed import (
    OTHER_SUBSCRIPTION_ID,
    SUBSCRIPTION_ID,
    TENANT_ID,
    AgentPoolSeed,
    AksClusterSeed,
)
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings

from .conftest import CLUSTER, GROUP, World

Start = Callable[[AzureSettings], World]


def refused(world: World, **more: Any) -> errors.CliError:
    with pytest.raises(errors.CliError) as caught:
        world.provider.discover(world.spec(**more))
    return caught.value


def only(seed: AksClusterSeed, **more: Any) -> AzureSettings:
    return AzureSettings(clusters=(seed,), **more)


def test_the_cluster_as_azure_tells_of_it(world: World) -> None:
    cluster = world.provider.discover(world.spec())
    assert cluster.id == (
        f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/demo".lower()
    )
    assert (cluster.account, cluster.region) == (SUBSCRIPTION_ID, "eastus")
    assert cluster.version == "1.33.5"
    assert cluster.zones == ("eastus-1", "eastus-2", "eastus-3")
    facts: AksFacts = cluster.facts
    assert (facts.group, facts.tenant, facts.issuer) == ("demo", TENANT_ID, CLUSTER.issuer)
    assert facts.workload_identity
    assert facts.issuer.endswith("/")
    cpu, gpu = sorted(cluster.node_pools, key=lambda pool: pool.name)
    assert (cpu.gpu, cpu.size) == (False, 2)
    assert (gpu.gpu, gpu.gpu_driver, gpu.gpu_plugin_owner) == (True, "AKS", "")
    assert gpu.labels["nvidia.com/gpu.product"] == "NVIDIA-T4"
    assert gpu.labels["kubernetes.azure.com/agentpool"] == "gpu"
    assert gpu.taints == ({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"},)


def test_names_have_no_case(world: World) -> None:
    account = {"subscription_id": SUBSCRIPTION_ID.upper(), "resource_group": "DEMO"}
    found = world.provider.discover(world.spec(account=account, cluster={"name": "Demo"}))
    assert found.id == world.provider.discover(world.spec()).id


def test_a_pool_without_zones_is_in_none(start: Start) -> None:
    pools = (AgentPoolSeed("cpu", "Standard_D8s_v5", 1, zones=()),)
    world = start(only(replace(CLUSTER, pools=pools)))
    cluster, identity = world.provider.discover(world.spec()), world.setup().identity.output
    assert cluster.zones == ()
    storage = world.cloud_side().storage
    storage.observed = storage.read()
    payload = world.provider.registration(world.spec(), cluster, storage.output, identity)
    assert "zones" not in payload["kubernetes_config"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"cluster": {"name": "nobodys"}}, "bare (demo), demo (demo)"),
        ({"account": {"subscription_id": SUBSCRIPTION_ID, "resource_group": "no"}}, "demo (demo)"),
        ({"region": "westus"}, "it is in eastus"),
    ],
)
def test_no_such_cluster(world: World, more: dict[str, Any], told: str) -> None:
    error = refused(world, **more)
    assert error.code is errors.CLUSTER_NOT_FOUND
    assert told in error.cause


def test_the_region_may_be_said(world: World) -> None:
    assert world.provider.discover(world.spec(region="eastus")).region == "eastus"


def test_another_subscription_stops_before_anything_is_asked(world: World) -> None:
    account = {"subscription_id": OTHER_SUBSCRIPTION_ID, "resource_group": "demo"}
    calls = world.calls(lambda: refused(world, account=account))
    assert refused(world, account=account).code is errors.ACCOUNT_MISMATCH
    names = {c.operation.name for c in calls if c.operation.service.startswith("microsoft")}
    assert names == {"Metadata_GetEndpoints", "Subscriptions_Get"}


def test_a_cluster_that_is_being_made(start: Start) -> None:
    world = start(only(replace(CLUSTER, gets_while_creating=1)))
    assert refused(world).code is codes.AKS_NOT_RUNNING
    assert world.provider.discover(world.spec()).name == "demo"


# -- the way in -----------------------------------------------------------------------------


def access(world: World) -> ClusterAccess:
    return world.provider.discover(world.spec()).access


def test_local_accounts_are_entered_with_what_azure_hands_out(world: World) -> None:
    local = (b"certificate", b"key")
    world.stand_in.set_endpoint("demo", "https://127.0.0.1:2", b"authority", local)
    found = access(world)
    assert (found.endpoint, found.ca_pem) == ("https://127.0.0.1:2", "authority")
    assert (found.client_certificate_pem, found.client_key_pem) == ("certificate", "key")
    assert found.token is not None
    assert found.token().value == world.stand_in.world.clusters.named("demo").local_token
    assert found.token().value not in repr(found)


def entra(**more: Any) -> AksClusterSeed:
    return replace(CLUSTER, entra=True, **more)


@pytest.mark.parametrize("local_accounts", [True, False])
def test_entra_is_entered_with_its_token(start: Start, local_accounts: bool) -> None:
    world = start(only(entra(local_accounts=local_accounts, azure_rbac=True)))
    found = access(world)
    assert found.token is not None
    assert not found.client_certificate_pem
    claims = json.loads(base64.urlsafe_b64decode(found.token().value.split(".")[1] + "=="))
    assert claims["aud"] == AKS_SERVER_APP_ID
    assert found.principal == world.stand_in.world.admin.app_id
    assert found.grant == f"az login --tenant {TENANT_ID}"
    assert found.grant_rights == (
        'az role assignment create --role "Azure Kubernetes Service RBAC Cluster Admin" '
        f"--assignee {world.stand_in.world.admin.object_id} "
        f"--scope {GROUP}/providers/Microsoft.ContainerService/managedClusters/demo"
    )


def test_whoever_is_in_a_group_is_let_in(start: Start) -> None:
    world = start(only(entra(admin_groups=("g-1",))))
    assert access(world).grant_rights == (
        f"az ad group member add --group g-1 --member-id {world.stand_in.world.admin.object_id}"
    )


def test_where_the_cluster_alone_decides_azure_has_no_command(start: Start) -> None:
    assert access(start(only(entra()))).grant_rights == ""


def test_a_private_cluster_out_of_reach_is_said_at_once(start: Start) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"https://127.0.0.1:{closed.getsockname()[1]}"
        world = start(only(replace(CLUSTER, endpoint=endpoint, private=True)))
        error = refused(world)
        assert error.code is errors.CLUSTER_UNREACHABLE
        assert error.details["private"]
        # Whoever names a context has a way of their own.
        spec = world.spec(cluster={"name": "demo", "context": "mine"})
        assert world.provider.discover(spec).access.endpoint == endpoint


def test_a_private_cluster_in_reach(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        endpoint = f"https://127.0.0.1:{listening.getsockname()[1]}"
        world = start(only(replace(CLUSTER, endpoint=endpoint, private=True)))
        assert access(world).endpoint == endpoint


# -- who asks, and where ----------------------------------------------------------------------


def test_a_wrong_secret(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    error = refused(world)
    assert error.code is errors.CLOUD_CREDENTIALS_REJECTED
    assert "AADSTS7000215" in error.cause
    assert "wrong" not in f"{error.cause} {error.evidence}".replace("wrong tenant", "")


def test_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    error = refused(world)
    assert error.code is errors.CLOUD_CREDENTIALS_MISSING
    assert error.fix.startswith("az login")


def test_a_session_that_ends_on_the_way(world: World) -> None:
    world.provider.discover(world.spec())
    world.stand_in.expire_sessions()
    assert refused(world).code is errors.CLOUD_CREDENTIALS_REJECTED


def test_who_may_not_look(world: World) -> None:
    world.stand_in.set_admin_roles([{"role": "Storage Blob Data Reader"}])
    error = refused(world)
    assert error.code is errors.FORBIDDEN
    assert "Microsoft.ContainerService/managedClusters/" in error.message


def test_nobody_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", "https://127.0.0.1:9/metadata/endpoints")
    error = refused(world)
    assert error.code is azure_codes.AZURE_UNREACHABLE
    assert "metadata" in error.message


def test_every_call_is_told_of(world: World) -> None:
    world.provider.discover(world.spec())
    told = [event for event in world.events if isinstance(event, CallMade)]
    assert "Microsoft.ContainerService/managedClusters/read" in {event.call for event in told}
    assert {event.service for event in told} == {"azure"}
    assert {event.status for event in told} == {"200"}


# -- the load balancer ------------------------------------------------------------------------


def annotations(world: World, **more: Any) -> dict[str, str]:
    spec = world.spec(**more)
    cluster = world.provider.discover(spec)
    install = world.install(spec, cluster)
    balancer = world.provider.load_balancer(spec, cluster, install, None)  # type: ignore[arg-type]
    prefix = "service.beta.kubernetes.io/azure-"
    return {key.removeprefix(prefix): value for key, value in balancer.annotations.items()}


def test_a_public_address_has_our_tags(world: World) -> None:
    found = annotations(world, rules={"tags": {"team": "ml"}})
    assert found["load-balancer-internal"] == "false"
    tags = dict(pair.split("=") for pair in found["pip-tags"].split(","))
    assert (tags["team"], tags["anyscale-k8s-cloud"]) == ("ml", "prod")


def test_an_internal_one_has_a_subnet(world: World) -> None:
    found = annotations(world, network={"expose": "internal", "load_balancer_subnets": ["inner"]})
    assert found == {"load-balancer-internal": "true", "load-balancer-internal-subnet": "inner"}


def test_annotations_of_the_user_win(world: World) -> None:
    own = {"service.beta.kubernetes.io/azure-pip-tags": "a=b", "x": "y"}
    found = annotations(world, network={"annotations": own})
    assert (found["pip-tags"], found["x"]) == ("a=b", "y")


@pytest.mark.parametrize(
    "tags", [{"a": "b,c"}, {"a=b": "c"}, {f"t{number}": "x" for number in range(MOST_TAGS)}]
)
def test_tags_that_an_address_does_not_take(world: World, tags: dict[str, str]) -> None:
    with pytest.raises(errors.CliError) as caught:
        annotations(world, rules={"tags": tags})
    assert caught.value.code is codes.ADDRESS_TAGS_UNFIT


def subnet_check(world: World, name: str) -> Finding:
    spec = world.spec(network={"expose": "internal", "load_balancer_subnets": [name]})
    checks = world.provider.checks(spec, world.provider.discover(spec))
    return next(item for item in checks if item.code == "aks-subnet-named").run()


def test_a_named_subnet_must_be_of_the_clusters_network(world: World) -> None:
    """Which AKS has made, so that it may put there what it wants."""
    assert subnet_check(world, "inner").detail.startswith("inner of aks-vnet-")
    lost = subnet_check(world, "lost")
    assert lost.status is Status.FAIL
    assert "has no subnet lost" in lost.detail
    assert "az network vnet subnet list --ids /subscriptions/" in lost.fix


def test_a_cluster_in_a_network_of_yours_must_be_let_into_the_subnet(
    start: Start, settings: AzureSettings
) -> None:
    own = replace(settings, clusters=(replace(CLUSTER, own_network=True),))
    world = start(own)
    found = subnet_check(world, "inner")
    assert found.status is Status.WARN
    assert "no role by which it may join" in found.detail
    facts = world.provider.discover(world.spec()).facts
    subnet = f"{facts.subnet.partition('/subnets/')[0]}/subnets/inner"
    assert found.fix.endswith(f"--scope {subnet}")
    state = world.stand_in.world
    role = state.rights.role_named("Network Contributor")
    state.rights.grant(SimpleNamespace(object_id=facts.principal), role, subnet)
    assert subnet_check(world, "inner").status is Status.PASS


def test_ingress_nginx_is_probed_where_it_answers(world: World) -> None:
    found = annotations(world, network={"kind": "nginx"})
    assert found["load-balancer-health-probe-request-path"] == "/healthz"
    assert "load-balancer-health-probe-request-path" not in annotations(world)
