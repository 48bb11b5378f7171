"""What a seeded cluster says of itself, and its nodes."""

from __future__ import annotations

from dataclasses import replace

from anyscale_k8s_cli.sandbox.google.nodes import METADATA_LABEL, nodes
from anyscale_k8s_cli.sandbox.google.objects import crc32c
from anyscale_k8s_cli.sandbox.google.roles import OWNER, PREDEFINED, Roles
from anyscale_k8s_cli.sandbox.google.seed import (
    CPU_NODES,
    GCE_METADATA,
    ZONAL,
    GkeClusterSeed,
)


def test_regional_and_zonal_clusters() -> None:
    demo = GkeClusterSeed()
    assert (demo.region, len(demo.zones), demo.zonal) == ("us-central1", 3, False)
    assert (ZONAL.region, ZONAL.zones) == ("us-central1", ("us-central1-f",))
    assert demo.issuer == (
        "https://container.googleapis.com/v1/projects/demo/locations/us-central1/clusters/demo"
    )
    assert demo.workload_pool == "demo.svc.id.goog"
    assert replace(demo, workload_identity=False).workload_pool == ""


def test_nodes_tell_their_pools_and_metadata() -> None:
    cpu, other, gpu = nodes(GkeClusterSeed())
    labels = [node["metadata"]["labels"] for node in (cpu, other, gpu)]
    assert [found["cloud.google.com/gke-nodepool"] for found in labels] == ["cpu", "cpu", "gpu"]
    assert [found["topology.gke.io/zone"][-1] for found in labels] == ["a", "b", "c"]
    assert all(found[METADATA_LABEL] == "true" for found in labels)
    assert gpu["spec"]["providerID"].startswith("gce://demo/us-central1-c/gke-demo-gpu-")
    plain = replace(CPU_NODES, metadata_mode=GCE_METADATA, spot=True)
    (node, _) = nodes(GkeClusterSeed(node_pools=(plain,)))
    assert METADATA_LABEL not in node["metadata"]["labels"]
    assert node["metadata"]["labels"]["cloud.google.com/gke-spot"] == "true"


def test_nobody_acts_as_an_account_by_owning_the_project() -> None:
    roles = Roles()
    acting = ("getAccessToken", "getOpenIdToken", "signBlob", "signJwt", "implicitDelegation")
    assert not any(roles.allows(OWNER, f"iam.serviceAccounts.{verb}") for verb in acting)
    assert not roles.allows(OWNER, "storage.objects.get")
    assert roles.allows("roles/storage.admin", "storage.buckets.setIamPolicy")
    assert not roles.allows("roles/storage.objectAdmin", "storage.buckets.get")


def test_where_roles_can_be_granted() -> None:
    roles = Roles()
    assert roles.fits("roles/iam.workloadIdentityUser", "account")
    assert not roles.fits("roles/storage.admin", "account")
    assert not roles.fits("roles/storage.legacyBucketReader", "project")
    assert not roles.fits("roles/storage.nothing", "bucket")
    assert all(roles.fits(role, "bucket") for role in PREDEFINED if "storage." in role)


def test_checksum_that_clients_compare() -> None:
    # The check value of CRC-32C in RFC 3720's parametrization.
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"") == 0
