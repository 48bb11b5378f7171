"""Real helm with the stand-in charts and their repository over TLS.

helm 3 and 4 where it is theirs what comes out, one of them where it is the chart's or ours.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.charts import ChartArchive, Charts
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable, HelmSource
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.events import CallMade, Event
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.charts.repository import (
    ChartRepository,
    earlier_charts,
    packaged_charts,
)
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule, Wire

OPERATOR_VALUES = {
    "global": {
        "cloudDeploymentId": "cldrsrc_abc",
        "cloudProvider": "aws",
        "controlPlaneURL": "https://127.0.0.1:9",
        "aws": {"region": "eu-west-1"},
    }
}


class World:
    """One repository, and helm set up to trust it."""

    def __init__(self, executable: HelmExecutable, folder: Path, mirror: str) -> None:
        self.wire = Wire()
        self.events: list[Event] = []
        self.run = Run(listeners=(self.events.append,))
        self.helm = Helm(executable, None, self.run, self.environment(folder), folder / "helm")
        self.cache = folder / "cache"
        self.charts = Charts(self.helm, self.run, self.cache, mirror)

    @staticmethod
    def environment(folder: Path) -> Mapping[str, str]:
        return {**os.environ, "HOME": str(folder), "SSL_CERT_FILE": str(folder / "ca.pem")}


@pytest.fixture
async def repository(tmp_path: Path) -> AsyncIterator[ChartRepository]:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.ca_pem)
    served = ChartRepository(Wire(), authority)
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
def world(helm_executable: HelmExecutable, tmp_path: Path, repository: ChartRepository) -> World:
    world = World(helm_executable, tmp_path, repository.url)
    world.wire = repository.wire
    return world


@pytest.fixture
def world_of_4(helm4: HelmExecutable, tmp_path: Path, repository: ChartRepository) -> World:
    world = World(helm4, tmp_path, repository.url)
    world.wire = repository.wire
    return world


async def test_every_pinned_chart_is_pulled_once_and_checked(world: World) -> None:
    packaged = {chart.metadata["name"]: chart for chart in packaged_charts()}
    assert set(packaged) == set(pins().charts)
    for name, pin in pins().charts.items():
        first = await world.charts.fetch(name)
        again = await world.charts.fetch(name)
        assert first == again
        assert (first.name, first.version) == (name, pin.version)
        assert first.sha256 == packaged[name].sha256
    pulled = [call for call in world.wire.calls() if call.operation.name == "GetChart"]
    assert sorted(call.operation.resource for call in pulled) == sorted(
        chart.filename for chart in packaged.values()
    )


async def test_an_older_chart_can_be_had_by_its_version(world_of_4: World) -> None:
    """What an upgrade is rehearsed from."""
    world = world_of_4
    pulled = {chart.metadata["name"]: chart for chart in earlier_charts()}
    older = await world.charts.fetch("anyscale-operator", "1.7.0")
    assert (older.name, older.version) == ("anyscale-operator", "1.7.0")
    assert older.sha256 == pulled["anyscale-operator"].sha256
    assert world.charts.is_older("anyscale-operator", older.version)
    for chart in pulled.values():
        assert chart.metadata["version"] != pins().charts[chart.metadata["name"]].version


async def test_archives_are_the_same_bytes_each_time() -> None:
    first = {chart.filename: chart.sha256 for chart in packaged_charts()}
    packaged_charts.cache_clear()
    assert first == {chart.filename: chart.sha256 for chart in packaged_charts()}


async def test_an_archive_changed_in_the_cache_is_fetched_again(world_of_4: World) -> None:
    good = await world_of_4.charts.fetch("anyscale-operator")
    good.path.write_bytes(good.path.read_bytes() + b"x")
    again = await world_of_4.charts.fetch("anyscale-operator")
    assert again.sha256 == good.sha256 == hashlib.sha256(again.path.read_bytes()).hexdigest()


async def test_a_mirror_with_other_archives_is_refused_where_the_pin_knows(
    world_of_4: World,
) -> None:
    world = world_of_4
    pin = pins().charts["anyscale-operator"].model_copy(update={"sha256": "0" * 64})
    charts = Charts(
        world.helm, world.run, world.cache, world.charts.mirror, {"anyscale-operator": pin}
    )
    with pytest.raises(errors.CliError) as caught:
        await charts.fetch("anyscale-operator")
    assert caught.value.code is errors.CHART_UNAVAILABLE
    assert "0" * 64 in caught.value.cause


async def test_a_missing_chart_names_cause_and_fix(world: World) -> None:
    with pytest.raises(errors.CliError) as caught:
        await world.charts.fetch("anyscale-operator", "9.9.9")
    assert caught.value.code is errors.CHART_UNAVAILABLE
    assert "9.9.9" in caught.value.cause
    assert caught.value.fix == "name a version that is there"


async def test_an_untrusted_authority_is_refused(
    helm_executable: HelmExecutable, tmp_path: Path, repository: ChartRepository
) -> None:
    (tmp_path / "ca.pem").write_bytes(Authority().ca_pem)
    world = World(helm_executable, tmp_path, repository.url)
    with pytest.raises(errors.CliError) as caught:
        await world.charts.fetch("anyscale-operator")
    assert "certificate" in caught.value.cause


async def test_a_failing_repository_is_an_error_with_evidence(world: World) -> None:
    world.wire.inject(FaultRule(FaultKind.ERROR, service="charts", times=0))
    with pytest.raises(errors.CliError) as caught:
        await world.charts.fetch("nvidia-device-plugin")
    assert caught.value.code is errors.CHART_UNAVAILABLE
    assert "503" in caught.value.cause
    assert "--chart-mirror" in caught.value.fix


async def test_calls_are_reported(world_of_4: World) -> None:
    await world_of_4.charts.fetch("nvidia-device-plugin")
    calls = [event for event in world_of_4.events if isinstance(event, CallMade)]
    assert [(call.service, call.status) for call in calls] == [("helm", "0")]
    assert calls[0].call.startswith("pull nvidia-device-plugin ")


class TestOperatorChart:
    """The stand-in refuses what the real chart refuses, and renders the same objects."""

    @pytest.fixture
    def chart(self, tmp_path: Path) -> ChartArchive:
        packaged = next(c for c in packaged_charts() if c.metadata["name"] == "anyscale-operator")
        path = tmp_path / packaged.filename
        path.write_bytes(packaged.archive)
        return ChartArchive(path, "anyscale-operator", packaged.metadata["version"], "")

    async def render(
        self, helm: HelmExecutable, chart: ChartArchive, values: Mapping[str, Any]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        alone = Helm(helm, None, Run(), os.environ, chart.path.parent / "helm")
        documents = await alone.template("anyscale-operator", "ns", chart, values)
        return {(doc["kind"], doc["metadata"]["name"]): doc for doc in documents}

    async def test_objects(self, helm_executable: HelmExecutable, chart: ChartArchive) -> None:
        objects = await self.render(helm_executable, chart, OPERATOR_VALUES)
        assert set(objects) == {
            ("ServiceAccount", "anyscale-operator"),
            ("Role", "anyscale-operator"),
            ("RoleBinding", "anyscale-operator"),
            ("ClusterRole", "anyscale-operator-token-reviewer-ns"),
            ("ClusterRoleBinding", "anyscale-operator-token-reviewer-ns"),
            ("ConfigMap", "patches"),
            ("ConfigMap", "vector"),
            ("ConfigMap", "instance-types"),
            ("PodDisruptionBudget", "anyscale-ray-head-nodes"),
            ("ValidatingWebhookConfiguration", "anyscale-operator-ns"),
            ("Deployment", "anyscale-operator"),
            ("ConfigMap", "anyscale-operator-instance-types-validation"),
            ("Job", "anyscale-operator-instance-types-validation"),
        }

    async def test_refusals(
        self, helm3: HelmExecutable, helm4: HelmExecutable, chart: ChartArchive
    ) -> None:
        changes: tuple[tuple[HelmExecutable, dict[str, Any], str], ...] = (
            (helm3, {"cloudDeploymentId": ""}, "cloudDeploymentId"),
            (helm4, {"cloudDeploymentId": ""}, "cloudDeploymentId"),
            (helm4, {"controlPlaneURL": "https://127.0.0.1:9/"}, "must not end in a slash"),
            (helm4, {"aws": {"region": ""}}, "global.aws.region"),
        )
        for helm, change, told in changes:
            values = {"global": {**OPERATOR_VALUES["global"], **change}}
            with pytest.raises(errors.CliError) as caught:
                await self.render(helm, chart, values)
            assert caught.value.code is errors.INVALID_SPEC
            assert told in caught.value.cause

    async def test_no_region_is_needed_with_a_token(
        self, helm4: HelmExecutable, chart: ChartArchive
    ) -> None:
        values = {
            "global": {
                **OPERATOR_VALUES["global"],
                "aws": {"region": ""},
                "auth": {"anyscaleCliToken": "not-a-real-token"},
            }
        }
        objects = await self.render(helm4, chart, values)
        secret = objects["Secret", "anyscale-cli-token"]
        assert secret["stringData"] == {"ANYSCALE_CLI_TOKEN": "not-a-real-token"}

    @pytest.mark.parametrize(
        ("provider", "key"),
        [
            ("aws", "eks.amazonaws.com/role-arn"),
            ("gcp", "iam.gke.io/gcp-service-account"),
            ("azure", "azure.workload.identity/client-id"),
        ],
    )
    async def test_identity_annotation(
        self, helm4: HelmExecutable, chart: ChartArchive, provider: str, key: str
    ) -> None:
        values = {
            "global": {
                **OPERATOR_VALUES["global"],
                "cloudProvider": provider,
                "auth": {"iamIdentity": "someone"},
            }
        }
        objects = await self.render(helm4, chart, values)
        account = objects["ServiceAccount", "anyscale-operator"]
        assert account["metadata"]["annotations"] == {key: "someone"}

    async def test_an_additional_type_cannot_change_a_default(
        self, helm4: HelmExecutable, chart: ChartArchive
    ) -> None:
        values = {
            **OPERATOR_VALUES,
            "workloads": {
                "instanceTypes": {
                    "additional": {
                        "2CPU-8GB": {"resources": {"CPU": 99, "memory": "1Gi"}},
                        "mine": {"resources": {"CPU": 1, "memory": "1Gi"}},
                    }
                }
            },
        }
        objects = await self.render(helm4, chart, values)
        types = yaml.safe_load(
            objects["ConfigMap", "instance-types"]["data"]["instance_types.yaml"]
        )
        assert types["2CPU-8GB"]["resources"]["CPU"] == 2
        assert types["mine"]["resources"]["CPU"] == 1


async def test_definitions_follow_their_switches(world_of_4: World) -> None:
    chart = await world_of_4.charts.fetch("gateway-crds-helm")

    async def names(**switches: Any) -> set[str]:
        documents = await world_of_4.helm.template("crds", "ns", chart, {"crds": switches})
        return {document["metadata"]["name"].split(".")[0] for document in documents}

    assert await names() == set()
    standard = {"gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants"}
    assert await names(gatewayAPI={"enabled": True, "channel": "standard"}) == standard
    assert await names(gatewayAPI={"enabled": True}) > standard
    assert "envoyproxies" in await names(envoyGateway={"enabled": True})


async def test_the_controllers_own_definitions_can_be_skipped(world_of_4: World) -> None:
    world = world_of_4
    chart = await world.charts.fetch("gateway-helm")
    without = await world.helm.template("eg", "ns", chart, {})
    included = await world.helm.template("eg", "ns", chart, {}, include_crds=True)
    definitions = [doc for doc in included if doc["kind"] == "CustomResourceDefinition"]
    assert definitions
    assert len(included) == len(without) + len(definitions)


def test_the_finder_names_where_helm_came_from(helm_executable: HelmExecutable) -> None:
    assert helm_executable.source is HelmSource.NAMED
    assert helm_executable.version >= "3.14.0"
