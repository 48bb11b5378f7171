"""Charts: pulled once into a cache, checked by digest at each use, installed from there."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import semver
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.pins import ChartPin, pins
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.run import Run

# The field of a release, or of what a chart brings, that says which of its versions it is.
CHART_VERSION = "chart version"
_ARCHIVE = "chart.tgz"
_DIGEST = "sha256"
_VALUES = "values.yaml"


@dataclass(frozen=True)
class ChartArchive:
    """A chart on this machine: an archive, or a folder that the user named."""

    path: Path
    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class _Origin:
    """Where a chart is fetched from, in helm's words; `sha256` is that of its pin."""

    name: str
    reference: str
    version: str | None
    repository: str
    sha256: str | None


class Puller(Protocol):
    """What fetches an archive from a repository: `Helm` does."""

    async def pull(
        self, reference: str, version: str | None, repository: str, into: Path
    ) -> None: ...


class Charts:
    """The pinned charts, from their repositories or from one mirror of them all.

    `mirror` is the URL of an index repository or `oci://…`; with it no other
    registry is asked for anything. `cache` may be shared by processes.
    """

    def __init__(
        self,
        helm: Puller,
        run: Run,
        cache: Path,
        mirror: str | None = None,
        pinned: dict[str, ChartPin] | None = None,
    ) -> None:
        self._helm = helm
        self._run = run
        self._cache = cache / "charts"
        self.mirror = mirror
        self._pinned = pins().charts if pinned is None else pinned

    async def fetch(
        self, name: str, version: str | None = None, source: str | None = None
    ) -> ChartArchive:
        """A chart of the table, in its pinned version unless another is named.

        `source` is the user's own place for it: a folder, an archive, `oci://…`
        or the URL of an archive, which is taken to stay the same. Raises
        `chart-unavailable`; `not-found` for a folder or file that is not there.
        """
        if source is not None and not _is_remote(source):
            return await asyncio.to_thread(_local, Path(source), name)
        origin = self._origin(name, version, source)
        place = self._place(origin)
        archive = await asyncio.to_thread(self._look_up, place)
        if archive is None:
            await self._pull(place, origin)
            archive = await asyncio.to_thread(self._look_up, place)
        return self._checked(archive, origin, place)

    def here(
        self, name: str, version: str | None = None, source: str | None = None
    ) -> ChartArchive | None:
        """The same chart if it is on this machine: nobody is asked for it."""
        if source is not None and not _is_remote(source):
            return _local(Path(source), name)
        origin = self._origin(name, version, source)
        place = self._place(origin)
        archive = self._look_up(place)
        return self._checked(archive, origin, place) if archive else None

    def _origin(self, name: str, version: str | None, source: str | None) -> _Origin:
        pin = self._pinned[name]
        wanted = version or pin.version
        if source is not None:
            tag = wanted if source.startswith("oci://") else None
            return _Origin(name, source, tag, "", None)
        digest = pin.sha256 if wanted == pin.version else None
        repository = self.mirror or pin.repository
        if repository.startswith("oci://"):
            return _Origin(name, f"{repository.rstrip('/')}/{name}", wanted, "", digest)
        return _Origin(name, name, wanted, repository, digest)

    def pinned_version(self, name: str) -> str:
        """What a new install of the chart gets."""
        return self._pinned[name].version

    def is_older(self, name: str, version: str) -> bool:
        """Whether a version of the chart is older than the pinned one."""
        return older(version, self.pinned_version(name))

    def reference(self, name: str, version: str | None = None) -> str:
        """Where `fetch` would look, for people."""
        pin = self._pinned[name]
        return f"{(self.mirror or pin.repository).rstrip('/')}/{name}:{version or pin.version}"

    def _checked(self, archive: ChartArchive | None, origin: _Origin, place: Path) -> ChartArchive:
        name, pinned = origin.name, origin.sha256
        if archive is None or archive.name != name:
            raise errors.CliError(
                errors.CHART_UNAVAILABLE,
                f"The chart {name} could not be read",
                cause=f"{origin.reference} gave {archive.name if archive else 'no chart'}",
                fix="check what --chart-mirror or --operator-chart names",
            )
        if pinned is not None and archive.sha256 != pinned:
            raise errors.CliError(
                errors.CHART_UNAVAILABLE,
                f"The chart {name} {origin.version} is not the one that this tool was tested with",
                cause=f"its SHA-256 is {archive.sha256}, expected {pinned}",
                evidence=(str(archive.path),),
                fix=f"remove {place} and try again; a mirror must hold unchanged archives",
            )
        return archive

    def _place(self, origin: _Origin) -> Path:
        where = f"{origin.repository}\n{origin.reference}"
        digest = hashlib.sha256(where.encode()).hexdigest()[:12]
        return self._cache / f"{origin.name}-{origin.version or 'any'}-{digest}"

    def _look_up(self, place: Path) -> ChartArchive | None:
        """The archive in the cache; None when there is none or it is not what was recorded."""
        try:
            recorded = (place / _DIGEST).read_text("ascii").strip()
            found = _file_digest(place / _ARCHIVE)
        except FileNotFoundError:
            return None
        if found != recorded:
            self._run.emit(
                Notice(
                    level="warning",
                    text=f"{place / _ARCHIVE} was changed since it was fetched: fetching it again",
                )
            )
            shutil.rmtree(place)
            return None
        metadata = _archive_metadata(place / _ARCHIVE)
        return ChartArchive(place / _ARCHIVE, metadata["name"], metadata["version"], found)

    async def _pull(self, place: Path, origin: _Origin) -> None:
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=self._cache) as shop:
            await self._helm.pull(origin.reference, origin.version, origin.repository, Path(shop))
            await asyncio.to_thread(_store, Path(shop), place)


def older(version: str, other: str) -> bool:
    """Whether a version of a chart comes before another."""
    return _semantic(version) < _semantic(other)


def _semantic(version: str) -> semver.Version:
    return semver.Version.parse(version.removeprefix("v"), optional_minor_and_patch=True)


def words_for(
    name: str, *, version: str | None = None, source: str | None = None, mirror: str | None = None
) -> list[str]:
    """How a person tells helm of the chart that `Charts.fetch` would take."""
    pin = pins().charts[name]
    wanted = ["--version", version or pin.version]
    if source is not None:
        return [source, *(wanted if source.startswith("oci://") else ())]
    repository = (mirror or pin.repository).rstrip("/")
    if repository.startswith("oci://"):
        return [f"{repository}/{name}", *wanted]
    return [name, "--repo", repository, *wanted]


def _store(shop: Path, place: Path) -> None:
    """Move what was pulled to its place in one step; whoever was first wins."""
    fetched = next(shop.glob("*.tgz"))
    done = shop / "done"
    done.mkdir()
    fetched.rename(done / _ARCHIVE)
    (done / _DIGEST).write_text(_file_digest(done / _ARCHIVE) + "\n", "ascii")
    try:
        done.rename(place)
    except OSError:
        # Another process was first; anything else is a true failure.
        if not (place / _DIGEST).exists():
            raise


def _is_remote(source: str) -> bool:
    return source.startswith(("oci://", "https://", "http://"))


def _local(path: Path, name: str) -> ChartArchive:
    """A chart in a folder or an archive that the user named."""
    if not path.exists():
        raise errors.CliError(
            errors.NOT_FOUND, f"There is no chart at {path}", fix="name a chart's folder or archive"
        )
    try:
        if path.is_dir():
            metadata = yaml.safe_load((path / "Chart.yaml").read_text("utf-8"))
            digest = _folder_digest(path)
        else:
            metadata = _archive_metadata(path)
            digest = _file_digest(path)
        archive = ChartArchive(path.resolve(), metadata["name"], metadata["version"], digest)
    except (OSError, tarfile.TarError, yaml.YAMLError, KeyError, TypeError) as problem:
        raise errors.CliError(
            errors.CHART_UNAVAILABLE,
            f"{path} is no chart",
            cause=str(problem),
            fix="name a chart's folder or archive",
        ) from problem
    if archive.name != name:
        raise errors.CliError(
            errors.CHART_UNAVAILABLE,
            f"{path} is another chart",
            cause=f"it holds {archive.name}, not {name}",
            fix=f"name a folder or archive of {name}",
        )
    return archive


def default_values(archive: ChartArchive) -> dict[str, Any]:
    """The chart's own values; none where it has none."""
    path = archive.path
    try:
        text = (path / _VALUES).read_bytes() if path.is_dir() else _member(path, _VALUES) or b""
        found = yaml.safe_load(text)
    except (OSError, tarfile.TarError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _archive_metadata(path: Path) -> dict[str, Any]:
    """Chart.yaml of an archive."""
    text = _member(path, "Chart.yaml")
    if text is None:
        raise tarfile.TarError(f"{path} holds no Chart.yaml")
    metadata: dict[str, Any] = yaml.safe_load(text)
    return metadata


def _member(path: Path, name: str) -> bytes | None:
    """A file of an archive: the one in its only top folder."""
    with tarfile.open(path) as bundle:
        for member in bundle:
            if member.name.count("/") == 1 and member.name.endswith(f"/{name}"):
                file = bundle.extractfile(member)
                if file is not None:
                    return file.read()
    return None


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder).as_posix()}\n{_file_digest(path)}\n".encode())
    return digest.hexdigest()
