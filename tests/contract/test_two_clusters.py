"""A cloud with two clusters: what is gone of one is not looked for in what the other keeps."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from anyscale_k8s_cli.controlplane.client import ControlPlane
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.credentials import Credentials
from anyscale_k8s_cli.controlplane.models import CloudResource
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.survey import Parts, Teardown
from anyscale_k8s_cli.operations.teardown import still_there
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.registration import RegisteredCloud, RegisteredResource
from anyscale_k8s_cli.resource import Change, Decision, Ownership
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.controlplane.server import ControlPlaneStandIn
from anyscale_k8s_cli.sandbox.wire import Wire

TOKEN = "aph0_" + "t" * 43


async def test_a_registration_in_a_record_that_stays_is_seen_to_be_gone() -> None:
    stand_in = ControlPlaneStandIn(Wire(), TOKEN)
    await stand_in.start()
    try:
        left = await asyncio.to_thread(removed, stand_in.url)
    finally:
        await stand_in.stop()
    assert left == ()


def removed(url: str) -> tuple[Any, ...]:
    """Ours is the second of two; it is removed, and then looked for."""
    clouds = Clouds(ControlPlane(Credentials(url, TOKEN, "the test"), Run(), environ={}))
    install = Install("gke", "demo", "us-central1", "projects/demo/c", "anyscale", "two", "uid")
    record = RegisteredCloud(clouds, install, provider="GCP")
    created = record.create()
    for name in ("eks-1f3a9c2e", install.resource_name):
        clouds.add_resource(created.id, described(name))
    record.observed = record.read()
    ours = RegisteredResource(record, install, dict)
    ours.observed = ours.read()
    assert ours.observed is not None
    parts = Parts(
        registration=(
            PlannedChange(record, Decision(Change.KEEP, Ownership.SHARED, "used"), record.observed),
            PlannedChange(ours, Decision(Change.DELETE, Ownership.OURS, "ours"), ours.observed),
        )
    )
    clouds.remove_resource(created.id, install.resource_name)
    teardown = Teardown(cast(Any, None), cast(Any, None), clouds, None, parts)
    return asyncio.run(still_there(teardown))


def described(name: str) -> CloudResource:
    return CloudResource.model_validate(
        {
            "name": name,
            "provider": "GCP",
            "region": "us-central1",
            "object_storage": {"bucket_name": "gs://data", "region": "us-central1"},
            "kubernetes_config": {
                "anyscale_operator_iam_identity": "a@demo.iam.gserviceaccount.com",
                "zones": ["us-central1-a"],
            },
        }
    )
