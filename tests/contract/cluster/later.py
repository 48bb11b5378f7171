"""The tool as it will be one version on: charts that are newer, and pins that say so."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from anyscale_k8s_cli.cluster.charts import Charts
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.sandbox.charts.repository import (
    ChartRepository,
    PackagedChart,
    packaged_charts,
)

from .site import Site

Edits = Mapping[str, Mapping[str, str]]


def later_tool(site: Site, folder: Path, versions: Mapping[str, str], edits: Edits) -> Site:
    """The same cluster, looked at with charts in other versions, edited chart by chart.

    Charts of today are served, too, as a repository does.
    """
    today = {chart.metadata["name"]: chart for chart in packaged_charts()}
    newer = [
        _edited(today[name], version, edits.get(name, {})) for name, version in versions.items()
    ]
    world, tools = site.world, site.tools
    repository = ChartRepository(world.wire, world.authority, (*today.values(), *newer))
    world.add(repository.start(), repository.stop)
    pinned = {
        name: pin.model_copy(update={"version": versions.get(name, pin.version)})
        for name, pin in pins().charts.items()
    }
    charts = Charts(tools.helm, tools.run, folder / "cache", repository.url, pinned)
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
