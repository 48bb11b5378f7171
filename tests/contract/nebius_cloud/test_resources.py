"""Clusters, buckets, and the addresses of load balancers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from grpc import StatusCode
from nebius.api.nebius.common.v1 import GetByNameRequest, ResourceMetadata
from nebius.api.nebius.mk8s.v1 import (
    ClusterServiceClient,
    ClusterStatus,
    ListNodeGroupsRequest,
    NodeGroupServiceClient,
)
from nebius.api.nebius.storage.v1 import (
    BucketServiceClient,
    BucketSpec,
    BucketStatus,
    CORSConfiguration,
    CORSRule,
    CreateBucketRequest,
    DeleteBucketRequest,
    GetBucketRequest,
    UpdateBucketRequest,
)
from nebius.api.nebius.vpc.v1 import AllocationServiceClient, ListAllocationsRequest
from nebius.sdk import SDK

from anyscale_k8s_cli.sandbox.nebius.addresses import TYPE
from anyscale_k8s_cli.sandbox.nebius.nodes import GPU, nodes
from anyscale_k8s_cli.sandbox.nebius.seed import GPU_NODES, PROJECT_ID, ClusterSeed
from anyscale_k8s_cli.sandbox.nebius.standin import NebiusSettings
from tests.contract.nebius_cloud.conftest import PATIENCE, Site
from tests.contract.nebius_cloud.test_iam import code_of


def bucket_request(name: str) -> CreateBucketRequest:
    rule = CORSRule(allowed_origins=["https://console.example"], allowed_methods=["GET"])
    spec = BucketSpec(cors=CORSConfiguration(rules=[rule]))
    return CreateBucketRequest(
        metadata=ResourceMetadata(parent_id=PROJECT_ID, name=name), spec=spec
    )


@pytest.mark.parametrize(
    "settings", [NebiusSettings(clusters=(ClusterSeed(reads_while_creating=1),))]
)
def test_a_cluster_is_found_by_name_and_runs_after_a_while(site: Site, admin: SDK) -> None:
    site.stand_in.set_endpoint("demo", "https://127.0.0.1:1", b"PEM")
    service = ClusterServiceClient(admin)
    by_name = GetByNameRequest(parent_id=PROJECT_ID, name="demo")
    states = []
    for _ in range(2):
        cluster = service.get_by_name(by_name, **PATIENCE).wait()
        assert cluster.status is not None
        states.append(cluster.status.state)
    assert states == [ClusterStatus.State.PROVISIONING, ClusterStatus.State.RUNNING]
    assert cluster.status.control_plane.endpoints.public_endpoint == "https://127.0.0.1:1"
    assert cluster.status.control_plane.auth.cluster_ca_certificate == "PEM"
    other = GetByNameRequest(parent_id=PROJECT_ID, name="other")
    assert code_of(service.get_by_name(other, **PATIENCE)) is StatusCode.NOT_FOUND


def test_node_groups_tell_platform_and_preset_and_nodes_carry_them(admin: SDK) -> None:
    seed = ClusterSeed()
    request = ListNodeGroupsRequest(parent_id=seed.id)
    groups = NodeGroupServiceClient(admin).list(request, **PATIENCE).wait().items
    found = {item.metadata.name: item.spec.template for item in groups}
    gpu = found["gpu"]
    assert (gpu.resources.platform, gpu.resources.preset) == (
        "gpu-h100-sxm",
        "1gpu-16vcpu-200gb",
    )
    assert gpu.gpu_settings.drivers_preset
    (node,) = [item for item in nodes(seed) if GPU in item["status"]["allocatable"]]
    labels = node["metadata"]["labels"]
    assert labels["node.kubernetes.io/instance-type"] == GPU_NODES.platform
    assert labels["nebius.com/resource-preset"] == GPU_NODES.preset
    assert node["spec"]["taints"][0]["key"] == GPU


def test_a_bucket_is_in_the_store_and_goes_at_once_only_when_told_so(
    site: Site, admin: SDK
) -> None:
    service = BucketServiceClient(admin)
    bucket_id = service.create(bucket_request("team-data"), **PATIENCE).wait().resource_id
    assert site.shelf.cors["team-data"][0]["AllowedOrigin"] == ["https://console.example"]
    assert code_of(service.create(bucket_request("team-data"), **PATIENCE)) is (
        StatusCode.ALREADY_EXISTS
    )
    site.shelf.full["team-data"] = 1
    at_once = DeleteBucketRequest(id=bucket_id, ttl=timedelta(0))
    assert code_of(service.delete(at_once, **PATIENCE)) is StatusCode.FAILED_PRECONDITION
    site.shelf.full["team-data"] = 0
    service.delete(DeleteBucketRequest(id=bucket_id), **PATIENCE).wait()
    found = service.get(GetBucketRequest(id=bucket_id), **PATIENCE).wait()
    assert found.status is not None
    assert found.status.state == BucketStatus.State.SCHEDULED_FOR_DELETION
    service.delete(at_once, **PATIENCE).wait()
    gone = service.get(GetBucketRequest(id=bucket_id), **PATIENCE)
    assert code_of(gone) is StatusCode.NOT_FOUND
    assert not site.shelf.has("team-data")


def test_a_bucket_of_somebody_elses_has_its_name(site: Site, admin: SDK) -> None:
    site.shelf.create("taken")
    call = BucketServiceClient(admin).create(bucket_request("taken"), **PATIENCE)
    assert code_of(call) is StatusCode.ALREADY_EXISTS


def test_a_change_of_what_has_changed_is_refused(admin: SDK) -> None:
    service = BucketServiceClient(admin)
    bucket_id = service.create(bucket_request("team-data"), **PATIENCE).wait().resource_id
    seen = service.get(GetBucketRequest(id=bucket_id), **PATIENCE).wait()

    def changed(value: str) -> Any:
        metadata = ResourceMetadata(
            id=bucket_id,
            parent_id=PROJECT_ID,
            name="team-data",
            labels={"k": value},
            resource_version=seen.metadata.resource_version,
        )
        return service.update(UpdateBucketRequest(metadata=metadata, spec=seen.spec), **PATIENCE)

    changed("first").wait()
    assert code_of(changed("second")) is StatusCode.ABORTED
    now = service.get(GetBucketRequest(id=bucket_id), **PATIENCE).wait()
    assert dict(now.metadata.labels) == {"k": "first"}
    assert now.spec.cors is not None
    assert now.spec.cors.rules


async def test_load_balancers_have_addresses_in_the_project(site: Site, admin: SDK) -> None:
    balancers = site.stand_in.load_balancers("demo")

    def service(uid: str, **annotations: str) -> dict[str, Any]:
        metadata = {"uid": uid, "namespace": "w", "name": uid, "annotations": annotations}
        return {"metadata": metadata, "spec": {}}

    public = await balancers.ensure(service("a"))
    private = await balancers.ensure(service("b", **{TYPE: "internal"}))
    request = ListAllocationsRequest(parent_id=PROJECT_ID)
    shown = (await AllocationServiceClient(admin).list(request, **PATIENCE)).items
    cidrs = {item.status.details.allocated_cidr for item in shown if item.status}
    assert public is not None
    assert private is not None
    assert cidrs == {f"{public[0]['ip']}/32", f"{private[0]['ip']}/32"}
    assert [await balancers.ensure(service(uid)) is None for uid in "cde"] == [
        False,
        False,
        True,
    ]
