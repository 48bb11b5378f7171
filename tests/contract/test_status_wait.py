"""`cloud status --wait`: until the operator says that it is well, or nothing can come of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Report
from anyscale_k8s_cli.controlplane.client import ControlPlane
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.credentials import Credentials
from anyscale_k8s_cli.events import StepWaiting
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.behind import Behind
from anyscale_k8s_cli.operations.health import health_of
from anyscale_k8s_cli.operations.status import StatusReport, cause_of, settled
from anyscale_k8s_cli.registration import RegisteredCloud
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.controlplane.server import ControlPlaneStandIn
from anyscale_k8s_cli.sandbox.wire import Wire

from .test_two_clusters import TOKEN, described


class Plane:
    """A control plane with one cloud, whose operator says what a test wants."""

    def __init__(self, stand_in: ControlPlaneStandIn) -> None:
        self.stand_in = stand_in
        credentials = Credentials(stand_in.url, TOKEN, "the test")
        self.clouds = Clouds(ControlPlane(credentials, Run(), environ={}))
        self.said: list[str] = []

    @property
    def cloud(self) -> Any:
        [cloud] = self.stand_in.registry.clouds()
        return cloud

    def report(self, verdict: str) -> None:
        operator = self.cloud.resources[0].operator
        operator.status, operator.reported_at = verdict, self.stand_in.registry.clock()

    def look(self) -> StatusReport:
        """What a look at everything would report of a cloud whose cluster is not found."""
        cloud = self.clouds.get_cloud(self.cloud.id)
        assert cloud is not None
        [resource] = self.clouds.list_resources(cloud.id)
        behind = Behind(cloud, resource, health_of(resource), None, None)
        return StatusReport(behind, Report(), cause_of(behind, Report()))

    async def settled(
        self, *, limit: float = 60, meanwhile: Callable[[], object] | None = None
    ) -> StatusReport:
        """What is reported in the end; `meanwhile` is done once it is waited for."""

        def listen(event: Any) -> None:
            if isinstance(event, StepWaiting) and event.detail:
                self.said.append(event.detail)
                if meanwhile is not None:
                    meanwhile()

        run = Run((listen,), deadline=time.monotonic() + limit)
        return await asyncio.to_thread(settled, self.look, self.clouds, run)


@pytest.fixture
async def plane() -> AsyncIterator[Plane]:
    stand_in = ControlPlaneStandIn(Wire(), TOKEN)
    await stand_in.start()
    plane = Plane(stand_in)
    await asyncio.to_thread(register, plane.clouds)
    yield plane
    await stand_in.stop()


def register(clouds: Clouds) -> None:
    install = Install("gke", "demo", "us-central1", "projects/demo/c", "anyscale", "one", "uid")
    record = RegisteredCloud(clouds, install, provider="GCP").create()
    clouds.add_resource(record.id, described(install.resource_name))


async def test_it_ends_once_the_operator_is_well(plane: Plane) -> None:
    plane.report("UNHEALTHY")
    report = await plane.settled(meanwhile=lambda: plane.report("HEALTHY"))
    assert report.well
    assert report.error is None
    assert "UNHEALTHY" in plane.said[0]
    assert report.as_json()["health"] == "HEALTHY"


async def test_what_is_well_is_not_waited_for(plane: Plane) -> None:
    plane.report("HEALTHY")
    assert (await plane.settled()).well
    assert plane.said == []


async def test_no_waiting_helps_a_cloud_that_is_being_deleted(plane: Plane) -> None:
    plane.report("UNHEALTHY")

    def delete() -> None:
        plane.cloud.deleting = True

    report = await plane.settled(meanwhile=delete)
    assert not report.well
    assert report.error is None
    assert report.cause is not None
    assert report.cause.command == "anyscale cloud delete one"


async def test_when_time_runs_out_its_last_state_is_told(plane: Plane) -> None:
    plane.report("UNHEALTHY")
    report = await plane.settled(limit=5)
    assert report.error is not None
    assert report.error.code is errors.TIMED_OUT
    document = report.as_json()
    assert (document["health"], document["error"]["exit_code"]) == ("UNHEALTHY", 3)
