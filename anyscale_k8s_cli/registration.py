"""The control plane's record of a cloud, and our resource in it, as resources of the graph."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CloudRecord:
    """`cloud_id` is `cld_…`."""

    cloud_id: str


@dataclass(frozen=True)
class Registration:
    """`cloud_resource_id` is `cldrsrc_…`: the id the operator is bound to."""

    cloud_id: str
    cloud_resource_id: str
