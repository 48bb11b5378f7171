"""Clusters as Google describes them, and the load balancers of their Services."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest
from google.cloud import container_v1

from anyscale_k8s_cli.sandbox.google.seed import AUTOPILOT, ZONAL, GkeClusterSeed
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule

DEMO = GkeClusterSeed(reads_while_creating=1, dns_endpoint=True)
PARENT = "projects/demo/locations"
NAME = f"{PARENT}/us-central1/clusters/demo"
Status = container_v1.Cluster.Status


@pytest.fixture
def settings(settings: GoogleSettings) -> GoogleSettings:
    return replace(settings, clusters=(DEMO, ZONAL, AUTOPILOT))


def service(name: str = "gw", **annotations: str) -> dict[str, Any]:
    uid = "0a1b2c3d-0000-1111-2222-333344445555"
    metadata = {"namespace": "ns", "name": name, "uid": uid, "annotations": annotations}
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}, {"port": 443}]}
    return {"metadata": metadata, "spec": spec}


def test_clusters_are_found_everywhere(google_cloud: Any) -> None:
    clusters = google_cloud.clusters()
    found = clusters.list_clusters(parent=f"{PARENT}/-").clusters
    assert [(c.name, c.location, c.autopilot.enabled) for c in found] == [
        ("demo", "us-central1", False),
        ("zonal", "us-central1-f", False),
        ("auto", "us-central1", True),
    ]
    zonal = clusters.list_clusters(parent=f"{PARENT}/us-central1-f").clusters
    assert [list(c.locations) for c in zonal] == [["us-central1-f"]]
    assert found[0].workload_identity_config.workload_pool == "demo.svc.id.goog"
    assert list(found[0].locations) == ["us-central1-a", "us-central1-b", "us-central1-c"]


def test_cluster_is_provisioned_before_it_runs(google_cloud: Any) -> None:
    google_cloud.stand_in.set_endpoint("demo", "127.0.0.1:6443", b"-----BEGIN", "127.0.0.1:6444")
    clusters = google_cloud.clusters()
    cluster = clusters.get_cluster(name=NAME)
    assert (cluster.status, cluster.endpoint) == (Status.PROVISIONING, "")
    cluster = clusters.get_cluster(name=NAME)
    assert (cluster.status, cluster.endpoint) == (Status.RUNNING, "127.0.0.1:6443")
    assert base64.b64decode(cluster.master_auth.cluster_ca_certificate) == b"-----BEGIN"
    dns = cluster.control_plane_endpoints_config.dns_endpoint_config
    assert (dns.endpoint, dns.allow_external_traffic) == ("127.0.0.1:6444", True)
    assert cluster.current_master_version.startswith("1.33.")


def test_node_pools(google_cloud: Any) -> None:
    clusters = google_cloud.clusters()
    cpu, gpu = clusters.list_node_pools(parent=NAME).node_pools
    assert cpu.config.workload_metadata_config.mode.name == "GKE_METADATA"
    (accelerator,) = gpu.config.accelerators
    assert (accelerator.accelerator_type, accelerator.accelerator_count) == ("nvidia-tesla-t4", 1)
    driver = accelerator.gpu_driver_installation_config.gpu_driver_version
    assert driver.name == "LATEST"
    google_cloud.stand_in.set_metadata_mode("demo", "GCE_METADATA")
    (pool, _) = clusters.get_cluster(name=NAME).node_pools
    assert pool.config.workload_metadata_config.mode.name == "GCE_METADATA"


def test_what_is_not_there_or_not_allowed(google_cloud: Any, refused: Any) -> None:
    clusters = google_cloud.clusters()
    for name in (f"{PARENT}/us-central1/clusters/nope", f"{PARENT}/us-central1-a/clusters/zonal"):
        with refused(404, f"Not found: {name}."):
            clusters.get_cluster(name=name)
    with refused(403, 'Required "container.clusters.get" permission'):
        clusters.get_cluster(name=NAME.replace("projects/demo", "projects/other"))
    google_cloud.stand_in.set_admin_permissions(["container.clusters.list"])
    clusters.list_clusters(parent=f"{PARENT}/-")
    with refused(403, "container.clusters.get"):
        clusters.get_cluster(name=NAME)


def test_deleted_cluster(google_cloud: Any, refused: Any) -> None:
    google_cloud.stand_in.delete_cluster("demo")
    with refused(404):
        google_cloud.clusters().get_cluster(name=NAME)


# -- load balancers ------------------------------------------------------------------------


def rules(google_cloud: Any, **query: str) -> list[dict[str, Any]]:
    path = "/compute/v1/projects/demo/aggregated/forwardingRules"
    answer = google_cloud.call("GET", "compute", path, params=query)
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert items["global"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"
    return [rule for scope in items.values() for rule in scope.get("forwardingRules", [])]


def test_service_gets_an_address_and_a_forwarding_rule(google_cloud: Any) -> None:
    balancers = google_cloud.stand_in.load_balancers("demo")
    (entry,) = asyncio.run(balancers.ensure(service()))
    assert asyncio.run(balancers.ensure(service())) == [entry]
    (rule,) = rules(google_cloud)
    assert rule["IPAddress"] == entry["ip"]
    assert rule["description"] == '{"kubernetes.io/service-name":"ns/gw"}'
    assert rule["name"] == "a0a1b2c3d00001111222233334444555"
    assert (rule["loadBalancingScheme"], rule["portRange"]) == ("EXTERNAL", "80-443")
    path = "/compute/v1/projects/demo/regions/us-central1/forwardingRules"
    assert google_cloud.call("GET", "compute", path).json()["items"] == [rule]
    assert rules(google_cloud, filter=f'name="{rule["name"]}"') == [rule]
    assert rules(google_cloud, filter="name=other") == []
    asyncio.run(balancers.remove(service()))
    assert len(rules(google_cloud)) == 1
    google_cloud.clock.seconds += 1
    assert rules(google_cloud) == []


@pytest.mark.parametrize(
    ("annotations", "scheme"),
    [
        ({"networking.gke.io/load-balancer-type": "Internal"}, "INTERNAL"),
        ({"cloud.google.com/load-balancer-type": "Internal"}, "INTERNAL"),
        ({"cloud.google.com/load-balancer-type": "External"}, "EXTERNAL"),
    ],
)
def test_internal_load_balancers(
    google_cloud: Any, annotations: dict[str, str], scheme: str
) -> None:
    balancers = google_cloud.stand_in.load_balancers("demo")
    (entry,) = asyncio.run(balancers.ensure(service(**annotations)))
    (rule,) = rules(google_cloud)
    assert rule["loadBalancingScheme"] == scheme
    assert entry["ip"].startswith("10.") == (scheme == "INTERNAL")


def test_services_of_another_class_wait_for_ever(google_cloud: Any) -> None:
    balancers = google_cloud.stand_in.load_balancers("demo")
    foreign = service()
    foreign["spec"]["loadBalancerClass"] = "example.com/own"
    assert asyncio.run(balancers.ensure(foreign)) is None
    balancers.answers = False
    assert asyncio.run(balancers.ensure(service())) is None


# -- faults ----------------------------------------------------------------------------------


def test_faults_in_googles_words(google_cloud: Any, refused: Any) -> None:
    google_cloud.wire.inject(FaultRule(FaultKind.THROTTLE, service="container"))
    with refused(429, "Quota exceeded"):
        google_cloud.clusters().list_clusters(parent=f"{PARENT}/-", retry=None)
    google_cloud.wire.inject(
        FaultRule(FaultKind.ERROR_AFTER, operation="iam.projects.serviceAccounts.create")
    )
    path = "/v1/projects/demo/serviceAccounts"
    answer = google_cloud.call("POST", "iam", path, json={"accountId": "anyscale-op"})
    assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")
    assert google_cloud.stand_in.project.accounts.find("anyscale-op@demo.iam.gserviceaccount.com")
