"""The chart repository of the sandbox: packages the charts beside it and serves them over TLS."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import yaml
from aiohttp import web

from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Operation, Refusal, Wire

# The real chart of definitions is too large for a release Secret (1 MiB), which
# therefore can only be rendered and applied. Bytes that do not compress make ours so.
_PADDED = {"gateway-crds-helm": 900_000}
# What an upgrade can be rehearsed from: the same charts under an older version.
_EARLIER = {"anyscale-operator": "1.7.0"}


@dataclass(frozen=True)
class PackagedChart:
    """One archive; `metadata` is its Chart.yaml."""

    metadata: dict[str, Any]
    archive: bytes

    @property
    def filename(self) -> str:
        return f"{self.metadata['name']}-{self.metadata['version']}.tgz"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.archive).hexdigest()


@cache
def packaged_charts() -> tuple[PackagedChart, ...]:
    """All charts of this package, each in today's version; the same bytes on every machine."""
    folder = resources.files(__package__)
    charts = [entry for entry in folder.iterdir() if (entry / "Chart.yaml").is_file()]
    return tuple(_package(chart) for chart in sorted(charts, key=lambda entry: entry.name))


@cache
def earlier_charts() -> tuple[PackagedChart, ...]:
    """Those that are there in an older version, too."""
    folder = resources.files(__package__)
    return tuple(_package(folder / name, version) for name, version in _EARLIER.items())


class ChartRepository:
    """An index repository on loopback; `url` is known once it has started.

    `charts` are those of this package, old and new, where no others are given.
    """

    def __init__(
        self, wire: Wire, authority: Authority, charts: Sequence[PackagedChart] = ()
    ) -> None:
        self.wire = wire
        self.charts = charts or (*packaged_charts(), *earlier_charts())
        self._authority = authority
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application(middlewares=[self.wire.middleware(_classify, _refuse)])
        app.router.add_get("/index.yaml", self._index)
        app.router.add_get("/{filename}", self._archive)
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, "127.0.0.1", 0, ssl_context=self._authority.server_context()
        )
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"https://127.0.0.1:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _index(self, _: web.Request) -> web.Response:
        entries: dict[str, list[dict[str, Any]]] = {}
        for chart in self.charts:
            entry = {**chart.metadata, "urls": [chart.filename], "digest": chart.sha256}
            entries.setdefault(chart.metadata["name"], []).append(entry)
        text = yaml.safe_dump({"apiVersion": "v1", "entries": entries})
        return web.Response(text=text, content_type="text/yaml")

    async def _archive(self, request: web.Request) -> web.Response:
        for chart in self.charts:
            if chart.filename == request.match_info["filename"]:
                return web.Response(body=chart.archive, content_type="application/gzip")
        raise web.HTTPNotFound


async def _classify(request: web.Request) -> Operation:
    name = "GetIndex" if request.path == "/index.yaml" else "GetChart"
    return Operation("charts", name, write=False, resource=request.path.lstrip("/"))


def _refuse(refusal: Refusal) -> web.Response:
    return web.Response(status=refusal.status, text=refusal.message)


def _package(folder: Traversable, version: str = "") -> PackagedChart:
    metadata = yaml.safe_load((folder / "Chart.yaml").read_text("utf-8"))
    files = dict(_files(folder, metadata["name"]))
    if version:
        metadata["version"] = version
        files[f"{metadata['name']}/Chart.yaml"] = yaml.safe_dump(metadata).encode()
    if metadata["name"] in _PADDED:
        padding = random.Random(0).randbytes(_PADDED[metadata["name"]])  # noqa: S311 - no secret
        files[f"{metadata['name']}/files/padding"] = padding
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as bundle:
        for name in sorted(files, key=lambda name: (not name.endswith("/Chart.yaml"), name)):
            # Time, owner and mode are those of a fresh TarInfo: always the same.
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            bundle.addfile(member, io.BytesIO(files[name]))
    return PackagedChart(metadata, gzip.compress(plain.getvalue(), mtime=0))


def _files(folder: Traversable, path: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _files(entry, f"{path}/{entry.name}")
        else:
            found.append((f"{path}/{entry.name}", entry.read_bytes()))
    return found
