"""The tool as it will be one version on: charts that are newer, and pins that say so."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.charts import Charts
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.cluster.release_records import newest
from anyscale_k8s_cli.sandbox.charts.repository import (
    PackagedChart,
    packaged_charts,
)
from tests.processes import Shelf

from .site import Site

Edits = Mapping[str, Mapping[str, str]]

OPERATOR = ("ray", "anyscale-operator", "anyscale-operator")
CONTROLLER = ("envoy-gateway-system", "eg", "gateway-helm")
PLUGIN = ("nvidia-device-plugin", "nvdp", "nvidia-device-plugin")
NEXT = {
    "anyscale-operator": "1.9.0",
    "gateway-helm": "v1.7.1",
    "gateway-crds-helm": "v1.7.1",
    "nvidia-device-plugin": "0.18.0",
}
# What makes each chart one that does not come up: the controller fails in its hook already.
BROKEN = {
    "anyscale-operator": {"public/kubernetes_manager": "public/never-ready"},
    "gateway-helm": {"docker.io/envoyproxy/gateway:": "never-ready:"},
    "nvidia-device-plugin": {
        "repository: nvcr.io/nvidia/k8s-device-plugin": "repository: never-ready"
    },
}


def later_tool(site: Site, folder: Path, versions: Mapping[str, str], edits: Edits) -> Site:
    """The same cluster, looked at with charts in other versions, edited chart by chart.

    Charts of today are there, too, as in a repository.
    """
    today = {chart.metadata["name"]: chart for chart in packaged_charts()}
    newer = [
        _edited(today[name], version, edits.get(name, {})) for name, version in versions.items()
    ]
    tools = site.tools
    pinned = {
        name: pin.model_copy(update={"version": versions.get(name, pin.version)})
        for name, pin in pins().charts.items()
    }
    charts = Charts(Shelf(*newer), tools.run, folder / "cache", tools.charts.mirror, pinned)
    return replace(site, tools=replace(tools, charts=charts))


def _edited(chart: PackagedChart, version: str, edits: Mapping[str, str]) -> PackagedChart:
    """The chart in another version, each text replaced by another one wherever it stands."""
    metadata: dict[str, Any] = {**chart.metadata, "version": version}
    packed = io.BytesIO()
    found = set()
    with (
        tarfile.open(fileobj=io.BytesIO(gzip.decompress(chart.archive))) as old,
        tarfile.open(fileobj=packed, mode="w") as new,
    ):
        for member in old.getmembers():
            source = old.extractfile(member)
            assert source is not None, "a chart's archive holds files alone"
            content = source.read()
            if member.name.endswith("/Chart.yaml"):
                content = yaml.safe_dump(metadata).encode()
            for text, other in edits.items():
                if text.encode() in content:
                    found.add(text)
                content = content.replace(text.encode(), other.encode())
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    assert found == set(edits), "each text stands somewhere in the chart"
    return PackagedChart(metadata, gzip.compress(packed.getvalue(), mtime=0))


def chart_of(site: Site, release: tuple[str, str, str]) -> tuple[str, str]:
    """Status and version of the release's last revision."""
    record = newest(site.world.kubernetes, release[0], release[1])
    assert record is not None
    return record.status, record.chart_version


def fails_and_is_taken_back(
    site: Site, folder: Path, release: tuple[str, str, str], **changes: Any
) -> None:
    _, before = chart_of(site, release)
    chart = release[2]
    later = later_tool(site, folder, {chart: NEXT[chart]}, {chart: BROKEN[chart]})
    seconds = {"operator": 3, "controller": 3}
    with pytest.raises(errors.CliError) as caught:
        later.world.apply(later.install(upgrade=True, timeouts=seconds, **changes).resources)
    problem = caught.value
    assert problem.code is errors.UPGRADE_TAKEN_BACK
    assert problem.exit_code == errors.ExitCode.OPERATION_FAILED
    assert f"from chart {before} to {NEXT[chart]} failed and was taken back" in problem.message
    assert re.search(r"^(Pod|Job) ", problem.cause)
    assert f"chart {before} runs again" in problem.evidence[0]
    assert chart_of(site, release) == ("deployed", before)
    assert later.world.changes(later.install(**changes).resources) == {}
