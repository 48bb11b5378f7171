"""Clusters: what is told of them, the ways in, pods with identities, load balancers, nodes."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli.sandbox.azure.load_balancers import ANNOTATION, LoadBalancerFailed
from anyscale_k8s_cli.sandbox.azure.nodes import nodes
from anyscale_k8s_cli.sandbox.azure.seed import (
    CPU_POOL,
    SUBSCRIPTION_ID,
    TENANT_ID,
    AgentPoolSeed,
    AksClusterSeed,
    PolicySeed,
)
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings

ENDPOINT = "https://127.0.0.1:6443"
NODE_GROUP = "MC_demo_demo_eastus"
NETWORK = (
    f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{NODE_GROUP}/providers/Microsoft.Network"
)
VERSION = "api-version=2024-05-01"


def changed(settings: AzureSettings, **fields: Any) -> AzureSettings:
    first, *others = settings.clusters
    return replace(settings, clusters=(replace(first, **fields), *others))


def credentials(azure: Any, kind: str = "user", **more: Any) -> Any:
    azure.stand_in.set_endpoint("demo", ENDPOINT, b"the ca", (b"certificate", b"key"))
    call = getattr(azure.clusters(), f"list_cluster_{kind}_credentials")
    (found,) = call("demo", "demo", **more).kubeconfigs
    return yaml.safe_load(bytes(found.value))


# -- what is told ------------------------------------------------------------------------


def test_what_the_sdk_sees_of_a_cluster(azure: Any) -> None:
    found = azure.clusters().get("demo", "demo")
    assert found.oidc_issuer_profile.issuer_url == azure.issuer.url
    assert found.security_profile.workload_identity.enabled is True
    assert (found.provisioning_state, found.power_state.code) == ("Succeeded", "Running")
    assert found.node_resource_group == NODE_GROUP
    assert found.disable_local_accounts is False
    cpu, gpu = found.agent_pool_profiles
    assert (cpu.mode, cpu.availability_zones) == ("System", ["1", "2", "3"])
    assert (gpu.vm_size, gpu.gpu_profile.driver) == ("Standard_NC4as_T4_v3", "Install")
    assert gpu.node_taints == ["nvidia.com/gpu=present:NoSchedule"]


def test_a_bare_cluster_has_no_identities(azure: Any) -> None:
    found = azure.clusters().get("demo", "bare")
    assert (found.oidc_issuer_profile.enabled, found.oidc_issuer_profile.issuer_url) == (
        False,
        None,
    )
    assert found.security_profile.workload_identity is None


def test_lists_of_clusters(azure: Any, refused: Any) -> None:
    assert [item.name for item in azure.clusters().list()] == ["demo", "bare"]
    names = [item.name for item in azure.clusters().list_by_resource_group("DEMO")]
    assert names == ["demo", "bare"]
    assert list(azure.clusters().list_by_resource_group(NODE_GROUP)) == []
    with refused("ResourceNotFound", "managedClusters/nothing", 404):
        azure.clusters().get("demo", "nothing")


def test_pools_one_by_one(azure: Any) -> None:
    pools = list(azure.pools().list("demo", "demo"))
    assert [(pool.name, pool.vm_size) for pool in pools] == [
        ("cpu", "Standard_D8s_v5"),
        ("gpu", "Standard_NC4as_T4_v3"),
    ]


class TestPrivate:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return changed(settings, private=True)

    def test_a_private_cluster_says_so(self, azure: Any) -> None:
        found = azure.clusters().get("demo", "demo")
        assert found.api_server_access_profile.enable_private_cluster is True
        assert ".privatelink." in found.private_fqdn


class TestCreating:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return changed(settings, gets_while_creating=2)

    def test_a_new_cluster_is_not_ready_at_once(self, azure: Any) -> None:
        states = [azure.clusters().get("demo", "demo").provisioning_state for _ in range(3)]
        assert states == ["Creating", "Creating", "Succeeded"]


def test_a_deleted_cluster_leaves_nothing_of_its_own(azure: Any, refused: Any) -> None:
    service = make_service()
    asyncio.run(azure.stand_in.load_balancers("demo").ensure(service))
    azure.stand_in.delete_cluster("demo")
    with refused("ResourceNotFound"):
        azure.clusters().get("demo", "demo")
    assert NODE_GROUP not in azure.stand_in.snapshot()["resource_groups"]
    assert azure.stand_in.snapshot()["public_addresses"] == {}


# -- the ways in -------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "context"), [("user", "demo"), ("admin", "demo-admin")])
def test_kubeconfigs_of_local_accounts(azure: Any, kind: str, context: str) -> None:
    document = credentials(azure, kind)
    assert document["current-context"] == context
    (server,) = document["clusters"]
    assert server["cluster"]["server"] == ENDPOINT
    assert base64.b64decode(server["cluster"]["certificate-authority-data"]) == b"the ca"
    (user,) = document["users"]
    assert user["name"] == f"cluster{kind.title()}_demo_demo"
    assert base64.b64decode(user["user"]["client-certificate-data"]) == b"certificate"
    assert base64.b64decode(user["user"]["client-key-data"]) == b"key"
    assert user["user"]["token"] == azure.stand_in.world.clusters.named("demo").local_token


class TestEntra:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return changed(settings, entra=True, local_accounts=False)

    def test_kubeconfigs_without_any_proof(self, azure: Any) -> None:
        (user,) = credentials(azure)["users"]
        plugin = user["user"]["exec"]
        assert plugin["command"] == "kubelogin"
        arguments = plugin["args"]
        assert arguments[arguments.index("--server-id") + 1] == (
            "6dae42f8-4368-4678-94ff-3960e28e3630"
        )
        assert arguments[arguments.index("--tenant-id") + 1] == TENANT_ID
        (user,) = credentials(azure, format="azure")["users"]
        assert user["user"]["auth-provider"]["name"] == "azure"

    def test_no_way_around(self, azure: Any, refused: Any) -> None:
        with refused("BadRequest", "set to disable local accounts", 400):
            azure.clusters().list_cluster_admin_credentials("demo", "demo")
        profile = azure.clusters().get("demo", "demo").aad_profile
        assert (profile.managed, profile.enable_azure_rbac) == (True, False)


def test_who_gets_a_kubeconfig(azure: Any, refused: Any) -> None:
    reader = azure.application("reader", {"role": "Reader"})
    with refused("AuthorizationFailed", "listClusterUserCredential/action", 403):
        azure.clusters(reader).list_cluster_user_credentials("demo", "demo")
    user = azure.application("user", {"role": "Azure Kubernetes Service Cluster User Role"})
    assert azure.clusters(user).list_cluster_user_credentials("demo", "demo").kubeconfigs
    with refused("AuthorizationFailed", "listClusterAdminCredential/action"):
        azure.clusters(user).list_cluster_admin_credentials("demo", "demo")


# -- pods --------------------------------------------------------------------------------


def make_pod(**labels: str) -> dict[str, Any]:
    containers = [{"name": "main", "env": [{"name": "AZURE_TENANT_ID", "value": "own"}]}]
    return {"metadata": {"labels": labels}, "spec": {"containers": containers}}


def make_account(**annotations: str) -> dict[str, Any]:
    keys = {f"azure.workload.identity/{key}": value for key, value in annotations.items()}
    return {"metadata": {"name": "sa", "namespace": "ns", "annotations": keys}}


USE = {"azure.workload.identity/use": "true"}


def variables(pod: dict[str, Any]) -> dict[str, str]:
    (container,) = pod["spec"]["containers"]
    return {item["name"]: item["value"] for item in container["env"]}


def test_the_webhook_projects_a_token(azure: Any) -> None:
    pod = make_pod(**USE)
    azure.stand_in.inject(pod, make_account(**{"client-id": "the-client"}), cluster="demo")
    assert variables(pod) == {
        "AZURE_CLIENT_ID": "the-client",
        "AZURE_TENANT_ID": "own",
        "AZURE_FEDERATED_TOKEN_FILE": "/var/run/secrets/azure/tokens/azure-identity-token",
        "AZURE_AUTHORITY_HOST": f"{azure.stand_in.world.login_url}/",
    }
    (volume,) = pod["spec"]["volumes"]
    (source,) = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "api://AzureADTokenExchange"
    before = str(pod)
    azure.stand_in.inject(pod, make_account(**{"client-id": "the-client"}), cluster="demo")
    assert str(pod) == before


@pytest.mark.parametrize(
    ("labels", "cluster"),
    [({}, "demo"), ({"azure.workload.identity/use": "yes"}, "demo"), (USE, "bare")],
)
def test_when_the_webhook_does_nothing(azure: Any, labels: dict[str, str], cluster: str) -> None:
    pod = make_pod(**labels)
    azure.stand_in.inject(pod, make_account(**{"client-id": "the-client"}), cluster=cluster)
    assert pod == make_pod(**labels)


def test_without_its_annotation_nobody_is_named(azure: Any) -> None:
    pod = make_pod(**USE)
    azure.stand_in.inject(pod, make_account(), cluster="demo")
    assert "AZURE_CLIENT_ID" not in variables(pod)
    assert "AZURE_FEDERATED_TOKEN_FILE" in variables(pod)


# -- load balancers ----------------------------------------------------------------------


def make_service(uid: str = "11111111-2222-3333-4444-555555555555", **more: Any) -> dict[str, Any]:
    annotations = {f"{ANNOTATION}{key}": value for key, value in more.pop("azure", {}).items()}
    metadata = {"namespace": "ns", "name": "gw", "uid": uid, "annotations": annotations}
    return {"metadata": metadata, "spec": {"type": "LoadBalancer", **more}}


def addresses(azure: Any) -> list[dict[str, Any]]:
    path = f"{NETWORK}/publicIPAddresses?{VERSION}"
    found: list[dict[str, Any]] = azure.raw("GET", path).json()["value"]
    return found


def test_a_public_service_has_an_address_in_the_node_group(azure: Any) -> None:
    balancers = azure.stand_in.load_balancers("demo")
    service = make_service(
        azure={"pip-tags": "owner=ml,k8s-azure-service=spoof", "dns-label-name": "cldrsrc-1"}
    )
    (ingress,) = asyncio.run(balancers.ensure(service))
    assert asyncio.run(balancers.ensure(service)) == [ingress]
    (found,) = addresses(azure)
    assert found["properties"]["ipAddress"] == ingress["ip"]
    assert found["properties"]["dnsSettings"]["fqdn"] == "cldrsrc-1.eastus.cloudapp.azure.com"
    assert found["tags"] == {
        "owner": "ml",
        "k8s-azure-cluster-name": "kubernetes",
        "k8s-azure-service": "ns/gw",
    }
    (balancer,) = azure.raw("GET", f"{NETWORK}/loadBalancers?{VERSION}").json()["value"]
    assert balancer["name"] == "kubernetes"
    (frontend,) = balancer["properties"]["frontendIPConfigurations"]
    assert frontend["properties"]["publicIPAddress"]["id"] == found["id"]
    assert azure.raw("GET", f"{found['id']}?{VERSION}").json() == found
    by_tag = azure.raw(
        "GET",
        f"/subscriptions/{SUBSCRIPTION_ID}/resources?{VERSION}",
        params={"$filter": "tagName eq 'owner' and tagValue eq 'ml'"},
    )
    assert [item["id"] for item in by_tag.json()["value"]] == [found["id"]]


def test_a_removed_address_is_seen_for_a_while(azure: Any) -> None:
    balancers, service = azure.stand_in.load_balancers("demo"), make_service()
    asyncio.run(balancers.ensure(service))
    asyncio.run(balancers.remove(service))
    (found,) = addresses(azure)
    assert found["properties"]["provisioningState"] == "Deleting"
    assert azure.raw("GET", f"{NETWORK}/loadBalancers?{VERSION}").json()["value"] == []
    azure.clock.seconds += 1
    assert addresses(azure) == []
    asyncio.run(balancers.remove(service))


def test_internal_services(azure: Any) -> None:
    balancers = azure.stand_in.load_balancers("demo")
    inside = {"load-balancer-internal": "true", "load-balancer-ipv4": "10.224.5.5"}
    (ingress,) = asyncio.run(balancers.ensure(make_service(azure=inside)))
    assert ingress["ip"] == "10.224.5.5"
    assert addresses(azure) == []
    other = make_service("another-uid", azure=inside)
    with pytest.raises(LoadBalancerFailed, match="PrivateIPAddressIsAllocated"):
        asyncio.run(balancers.ensure(other))
    (ingress,) = asyncio.run(balancers.ensure(make_service()))
    assert ingress["ip"].startswith("198.51.100.")
    names = azure.raw("GET", f"{NETWORK}/loadBalancers?{VERSION}").json()["value"]
    assert [item["name"] for item in names] == ["kubernetes"]


def test_services_of_other_controllers(azure: Any) -> None:
    balancers = azure.stand_in.load_balancers("demo")
    assert asyncio.run(balancers.ensure(make_service(loadBalancerClass="example.com/lb"))) is None
    balancers.answers = False
    assert asyncio.run(balancers.ensure(make_service())) is None


class TestTagPolicy:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        policy = PolicySeed("require-owner", "Require the tag owner", required_tag="owner")
        return replace(settings, policies=(policy,))

    def test_a_company_s_tags_are_wanted_here_too(self, azure: Any) -> None:
        balancers = azure.stand_in.load_balancers("demo")
        with pytest.raises(LoadBalancerFailed, match="RequestDisallowedByPolicy"):
            asyncio.run(balancers.ensure(make_service()))
        assert addresses(azure) == []
        tagged = make_service(azure={"pip-tags": "owner=ml"})
        assert asyncio.run(balancers.ensure(tagged))


# -- nodes -------------------------------------------------------------------------------


def test_nodes_as_their_kubelets_register_them() -> None:
    first, second, gpu = nodes(AksClusterSeed())
    labels = first["metadata"]["labels"]
    assert labels["topology.kubernetes.io/zone"] == "eastus-1"
    assert second["metadata"]["labels"]["topology.kubernetes.io/zone"] == "eastus-2"
    assert labels["kubernetes.azure.com/cluster"] == NODE_GROUP
    assert "kubernetes.azure.com/accelerator" not in labels
    assert gpu["metadata"]["labels"]["kubernetes.azure.com/accelerator"] == "nvidia"
    assert gpu["spec"]["taints"] == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    ]
    assert "nvidia.com/gpu" not in gpu["status"]["allocatable"]
    names = {node["metadata"]["name"] for node in (first, second, gpu)}
    assert len(names) == 3


def test_spot_machines_and_pools_without_zones() -> None:
    pool = AgentPoolSeed("spot", "Standard_D4s_v5", 1, zones=(), spot=True)
    *_, spot = nodes(AksClusterSeed(pools=(CPU_POOL, pool)))
    assert spot["metadata"]["labels"]["topology.kubernetes.io/zone"] == "0"
    assert spot["metadata"]["labels"]["kubernetes.azure.com/scalesetpriority"] == "spot"
    (taint,) = spot["spec"]["taints"]
    assert taint["key"] == "kubernetes.azure.com/scalesetpriority"
