"""Oracle's GPU add-on: missing where pools have GPUs, and only there."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.providers.oke.checks import checks
from anyscale_k8s_cli.providers.oke.discovery import OkeFacts
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk.clusters import NodePoolDescription
from anyscale_k8s_cli.providers.oke.sdk.session import Session
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec

SPEC = CloudSpec(provider="oke", name="prod")
ACCESS = ClusterAccess("https://oke.example", "", None, "somebody")


@pytest.mark.parametrize(
    ("shape", "addon", "status"),
    [
        ("VM.GPU.A10.1", False, Status.WARN),
        ("VM.GPU.A10.1", True, Status.PASS),
        ("VM.Standard.E5.Flex", False, Status.PASS),
    ],
)
def test_the_addon(shape: str, addon: bool, status: Status) -> None:
    pool = NodePoolDescription("ocid1.pool", "pool", shape, {}, 1)
    facts = OkeFacts("ocid1.cluster", (pool,), addon)
    cluster = Cluster("demo", "ocid1.cluster", "tenancy", "r", "1.33", ACCESS, facts=facts)

    oracle = Oracle(Run(), Session(Run()), "r")  # nobody asks it
    bound = next(item for item in checks(SPEC, cluster, oracle) if item.code == "oke-gpu-addon")
    finding = bound.run()

    assert finding.status is status
    if status is Status.WARN:
        assert "--addon-name NvidiaGpuPlugin --cluster-id ocid1.cluster" in finding.fix
