"""Fetching helm from its own site, played by a server with a private authority."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.helm_executable import HelmSource, find_helm
from anyscale_k8s_cli.cluster.helm_fetch import this_platform
from anyscale_k8s_cli.cluster.pins import HelmDownload, pins
from anyscale_k8s_cli.events import Event, Notice
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.tls import Authority

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake helm is a script")

SCRIPT = b"#!/bin/sh\necho v4.2.3\n"


def archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as bundle:
        member = tarfile.TarInfo(f"{this_platform()}/helm")
        member.size = len(SCRIPT)
        bundle.addfile(member, io.BytesIO(SCRIPT))
    return packed.getvalue()


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.ca_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    content = archive()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=content)

    app = web.Application()
    app.router.add_get(f"/helm-v4.2.3-{this_platform()}.tar.gz", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context()).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def download(site: str, digest: str) -> HelmDownload:
    return HelmDownload(site=site, version="4.2.3", sha256={this_platform(): digest})


async def test_fetched_once_announced_and_kept(site: str, tmp_path: Path) -> None:
    events: list[Event] = []
    good = download(site, hashlib.sha256(archive()).hexdigest())
    pinned = pins().helm.model_copy(update={"download": good})
    run = Run(listeners=(events.append,))
    found = await find_helm(run, environment={"PATH": ""}, cache=tmp_path, pinned=pinned)
    assert (str(found.version), found.source) == ("4.2.3", HelmSource.DOWNLOAD)
    assert found.path.stat().st_mode & 0o777 == 0o755
    assert [site in event.text for event in events if isinstance(event, Notice)] == [True]
    again = await find_helm(run, environment={"PATH": ""}, cache=tmp_path, pinned=pinned)
    assert (again.path, again.source) == (found.path, HelmSource.CACHE)


async def test_another_archive_than_the_pinned_one_is_thrown_away(
    site: str, tmp_path: Path
) -> None:
    pinned = pins().helm.model_copy(update={"download": download(site, "0" * 64)})
    with pytest.raises(errors.CliError) as caught:
        await find_helm(Run(), environment={"PATH": ""}, cache=tmp_path, pinned=pinned)
    assert caught.value.code is errors.HELM_MISSING
    assert "0" * 64 in caught.value.cause
    assert list((tmp_path / "helm").iterdir()) == []
