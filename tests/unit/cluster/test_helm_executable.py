"""In which order helm is looked for, and which one is refused."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.helm_executable import HelmSource, find_helm
from anyscale_k8s_cli.cluster.helm_fetch import helm_from_site, place_in, this_platform
from anyscale_k8s_cli.cluster.pins import HelmDownload, pins
from anyscale_k8s_cli.events import Event, Notice
from anyscale_k8s_cli.run import Run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake helm is a script")


def fake_helm(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def run(events: list[Event]) -> Run:
    return Run(listeners=(events.append,))


@pytest.fixture
def everywhere(tmp_path: Path) -> dict[str, Path]:
    """A different helm in each place."""
    cached = place_in(tmp_path / "cache" / "helm", pins().helm.download.version, this_platform())
    return {
        "named": fake_helm(tmp_path / "named" / "helm", "v3.20.1"),
        "environment": fake_helm(tmp_path / "environment" / "helm", "v3.20.2"),
        "path": fake_helm(tmp_path / "bin" / "helm", "v3.20.3"),
        "cache": fake_helm(cached, "v3.20.4"),
    }


def environment(places: dict[str, Path], *, named: bool, in_path: bool) -> dict[str, str]:
    return {
        **({"ANYSCALE_K8S_HELM": str(places["environment"])} if named else {}),
        "PATH": str(places["path"].parent) if in_path else "",
    }


async def test_order(run: Run, everywhere: dict[str, Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    all_of_it = environment(everywhere, named=True, in_path=True)
    found = await find_helm(
        run, named=everywhere["named"], environment=all_of_it, cache=cache, from_index=True
    )
    assert (str(found.version), found.source) == ("3.20.1", HelmSource.NAMED)
    found = await find_helm(run, environment=all_of_it, cache=cache)
    assert (str(found.version), found.source) == ("3.20.2", HelmSource.NAMED)
    in_path = environment(everywhere, named=False, in_path=True)
    found = await find_helm(run, environment=in_path, cache=cache)
    assert (str(found.version), found.source) == ("3.20.3", HelmSource.PATH)
    nowhere = environment(everywhere, named=False, in_path=False)
    found = await find_helm(run, environment=nowhere, cache=cache)
    assert (str(found.version), found.source) == ("3.20.4", HelmSource.CACHE)


async def test_what_the_user_did_not_choose_is_announced(
    run: Run, events: list[Event], everywhere: dict[str, Path], tmp_path: Path
) -> None:
    nowhere = environment(everywhere, named=False, in_path=False)
    await find_helm(run, environment=nowhere, cache=tmp_path / "cache")
    [notice] = events
    assert isinstance(notice, Notice)
    assert str(everywhere["cache"]) in notice.text


@pytest.mark.parametrize("version", ["v3.13.9", "v2.17.0"])
async def test_an_old_helm_is_refused(run: Run, tmp_path: Path, version: str) -> None:
    old = fake_helm(tmp_path / "helm", version)
    with pytest.raises(errors.CliError) as caught:
        await find_helm(run, environment={"PATH": str(old.parent)}, cache=tmp_path)
    assert caught.value.code is errors.HELM_UNSUPPORTED
    assert str(old) in caught.value.cause


async def test_a_newer_major_version_is_used_with_a_warning(
    run: Run, events: list[Event], tmp_path: Path
) -> None:
    await find_helm(run, named=fake_helm(tmp_path / "helm", "v9.0.0"))
    assert [event.level for event in events if isinstance(event, Notice)] == ["warning"]


@pytest.mark.parametrize("path", ["/no/such/helm", "/bin/echo"])
async def test_what_is_no_helm_is_said(run: Run, path: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        await find_helm(run, named=Path(path))
    assert caught.value.code is errors.HELM_MISSING
    assert path in caught.value.message


async def test_a_platform_without_a_known_checksum_is_not_fetched_for(
    run: Run, tmp_path: Path
) -> None:
    unknown = HelmDownload(site="https://127.0.0.1:1", version="4.2.3", sha256={})
    with pytest.raises(errors.CliError) as caught:
        await helm_from_site(run, unknown, tmp_path)
    assert caught.value.code is errors.HELM_MISSING
    assert this_platform() in caught.value.cause


async def test_a_site_out_of_reach_names_the_ways_round_it(run: Run, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"").hexdigest()
    blocked = HelmDownload(
        site="https://127.0.0.1:1", version="4.2.3", sha256={this_platform(): digest}
    )
    with pytest.raises(errors.CliError) as caught:
        await helm_from_site(run, blocked, tmp_path)
    assert caught.value.code is errors.HELM_MISSING
    assert "--helm-from-index" in caught.value.fix
    assert os.listdir(tmp_path) == []
