"""Every chart and image that a spec causes, for whoever copies them into registries of their own.

No cluster, no cloud and no control plane is asked. Images are found by rendering the charts
with the values that setup would give them, as far as no cluster tells of those; what would
depend on one is there with the condition on which it is needed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import wording
from anyscale_k8s_cli.addons.context import InstallContext
from anyscale_k8s_cli.addons.gateway_definitions import CHART as DEFINITIONS
from anyscale_k8s_cli.cluster.charts import ChartArchive, Charts, words_for
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable, default_cache, find_helm
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.controlplane.credentials import host_from
from anyscale_k8s_cli.controlplane.origin import user_data_domain
from anyscale_k8s_cli.operations.rendering import (
    ALWAYS,
    Part,
    images_in,
    parts,
    rendered,
)
from anyscale_k8s_cli.operations.requests import MirrorRequest
from anyscale_k8s_cli.operations.said import setup_command, without_contents
from anyscale_k8s_cli.operations.workbench import ENVIRONMENT
from anyscale_k8s_cli.pod_words import mirrored
from anyscale_k8s_cli.provider import install_on, unplaced
from anyscale_k8s_cli.provider_registry import canonical, load
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, makes_gateway
from anyscale_k8s_cli.spec_loading import load as load_settings

MIRROR_SCHEMA = "anyscale-k8s/mirror/v1"
_UNNAMED = "any"
_PROBED = "a pod is made to look: --probe, and verify with --probe or --functional"


@dataclass(frozen=True)
class Chart:
    """`sha256` is of the archive, None while nobody knows it; `command` fetches it."""

    name: str
    version: str
    source: str
    sha256: str | None
    when: str
    command: str
    here: bool

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "when": self.when or None}


@dataclass(frozen=True)
class Image:
    """`target` is its name in the registry of one's own, None where none was said."""

    image: str
    target: str | None
    used_by: tuple[str, ...]
    when: str

    @property
    def digest(self) -> str | None:
        return self.image.partition("@")[2] or None

    def as_json(self) -> dict[str, Any]:
        told = {"image": self.image, "digest": self.digest, "target": self.target}
        return {**told, "used_by": list(self.used_by), "when": self.when or None}


@dataclass(frozen=True)
class Supplies:
    """`unknown` are the charts whose images could not be told, with the reason."""

    provider: str
    charts: tuple[Chart, ...]
    images: tuple[Image, ...]
    unknown: tuple[str, ...]
    fetch: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": MIRROR_SCHEMA,
            "provider": self.provider,
            "charts": [item.as_json() for item in self.charts],
            "images": [item.as_json() for item in self.images],
            "unknown": list(self.unknown),
            "next": self.fetch or None,
        }


async def supplies(request: MirrorRequest, run: Run) -> Supplies:
    """Tell them. With `fetch`, and from a mirror of one's own, charts that are missing are fetched.

    Raises `missing-input`, `invalid-spec` and, of a chart that is to be fetched,
    `chart-unavailable`.
    """
    environment = request.environment
    found = {path: environment.get(names[0]) for path, names in ENVIRONMENT.items()}
    # No chart and no image depends on how the cloud is called.
    said = {"name": _UNNAMED, **request.flags}
    spec = load_settings(flags=said, file=request.file, environment=found).spec
    spec = spec.model_copy(update={"provider": canonical(spec.provider)})
    wording.check(spec)
    return await _Teller(spec, request, run).tell()


class _Teller:
    def __init__(self, spec: CloudSpec, request: MirrorRequest, run: Run) -> None:
        self._spec = spec
        self._request = request
        self._run = run
        self._fetches = request.fetch or spec.charts.mirror is not None

    async def tell(self) -> Supplies:
        executable, missing = await self._executable()
        home = Path(self._run.resources.enter_context(tempfile.TemporaryDirectory()))
        charts: list[Chart] = []
        images: dict[str, list[tuple[str, str]]] = {}
        unknown = [missing] if missing else []
        helm = (
            Helm(executable, None, self._run, self._request.environment, home)
            if executable
            else None
        )
        for part in parts(self._context()):
            archive = await self._archive(part, helm)
            charts.append(self._chart(part, archive))
            if archive is None and part.chart != DEFINITIONS:
                unknown.append(f"the images of {part.chart}: the chart is not on this machine")
            elif archive is not None and helm is not None:
                for image in dict.fromkeys(images_in(await rendered(helm, part, archive))):
                    images.setdefault(image, []).append((part.release, part.when))
        for image, user, when in _of_our_own(self._spec):
            images.setdefault(image, []).append((user, when))
        again = self._again() if any(not item.here for item in charts) else ""
        told = tuple(self._image(name, users) for name, users in sorted(images.items()))
        return Supplies(self._spec.provider, tuple(charts), told, tuple(unknown), again)

    def _again(self) -> str:
        said = without_contents(self._request.flags)
        return f"{setup_command(said, self._request.file, 'anyscale mirror list')} --fetch"

    def _context(self) -> InstallContext:
        """As for a cluster of which nothing is known: images are told by their own names."""
        pods = self._spec.pods.model_copy(update={"image_registry": None})
        return context_of(self._spec.model_copy(update={"pods": pods}), self._request, self._run)

    async def _executable(self) -> tuple[HelmExecutable | None, str]:
        named, environment = self._request.helm.named, self._request.environment
        try:
            found = await find_helm(
                self._run, named=named, fetch=self._request.fetch, environment=environment
            )
        except errors.CliError as problem:
            if problem.code is not errors.HELM_MISSING:
                raise
            return None, f"the images of all charts: {problem}; {problem.fix}"
        return found, ""

    async def _archive(self, part: Part, helm: Helm | None) -> ChartArchive | None:
        charts = Charts(helm or _NoHelm(), self._run, default_cache(), self._spec.charts.mirror)
        if self._fetches and helm is not None:
            return await charts.fetch(part.chart, part.version, part.source)
        return charts.here(part.chart, part.version, part.source)

    def _chart(self, part: Part, archive: ChartArchive | None) -> Chart:
        pin = pins().charts[part.chart]
        mirror = self._spec.charts.mirror
        words = words_for(part.chart, version=part.version, source=part.source, mirror=mirror)
        return Chart(
            part.chart,
            archive.version if archive else part.version or pin.version,
            part.source or mirror or pin.repository,
            archive.sha256 if archive else None if part.version else pin.sha256,
            part.when,
            " ".join(("helm pull", *words)),
            archive is not None,
        )

    def _image(self, name: str, users: list[tuple[str, str]]) -> Image:
        registry, own = self._spec.pods.image_registry, self._spec.probe.image
        conditions = {when for _, when in users}
        return Image(
            name,
            # What was named for probes is run as it was named.
            mirrored(name, registry) if registry and name != own else None,
            tuple(dict.fromkeys(user for user, _ in users)),
            ALWAYS if ALWAYS in conditions else "; or ".join(sorted(conditions)),
        )


class _NoHelm:
    async def pull(self, reference: str, version: str | None, repository: str, into: Path) -> None:
        raise AssertionError("nothing is fetched without helm")


def context_of(spec: CloudSpec, request: MirrorRequest, run: Run) -> InstallContext:
    """What values follow from where no cluster was named."""
    host = host_from(request.environment)
    cluster = unplaced("", spec.region or "")
    return InstallContext(
        spec=spec,
        install=install_on(cluster, spec),
        provider=load(spec.provider, run),
        cluster=cluster,
        nodes=(),
        control_plane_url=host,
        user_domain=user_data_domain(host),
    )


def _of_our_own(spec: CloudSpec) -> Iterator[tuple[str, str, str]]:
    """What no chart names: the proxy that the controller runs, and what our own pods run."""
    if makes_gateway(spec):
        yield pins().images["envoy"], "gateway", ALWAYS
    yield spec.probe.image or pins().images["python"], "probe", _PROBED
