"""Where people find what setup has made: the few things they will ask for next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from anyscale_k8s_cli.addons import ClusterSide
from anyscale_k8s_cli.addons.nginx import IngressState
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.cluster.namespaces import Namespace
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord
from anyscale_k8s_cli.operator_token import TokenParts


def whereabouts(cloud: CloudSide, cluster: ClusterSide) -> dict[str, Any]:
    """Bucket, identity, address, namespaces and releases, as far as they exist by now."""
    storage = cloud.storage.observed
    identity = cloud.identity.observed if cloud.identity else None
    way_in = cluster.way_in.observed
    address = way_in.output.address if way_in else None
    return {
        "bucket": storage.output.url if storage else None,
        "identity": identity.output.registered if identity else None,
        "token": _token(cluster.token),
        "address": address.value if address else None,
        "namespaces": list(_namespaces(cluster)),
        "releases": list(_releases(cluster)),
    }


def _token(parts: TokenParts | None) -> str | None:
    """Whose token the operator signs in with, and until when."""
    observed = parts.token.observed if parts else None
    if parts is None or observed is None:
        return None
    ends = observed.output.expires_at
    until = f", until {ends:%Y-%m-%d}" if ends else ""
    return f"{parts.whose}{until}"


def _namespaces(cluster: ClusterSide) -> Iterator[str]:
    for resource in cluster.resources:
        if isinstance(resource, Namespace) and resource.observed:
            yield resource.name


def _releases(cluster: ClusterSide) -> Iterator[str]:
    """`anyscale-operator 1.8.0`: the version is the chart's."""
    for resource in cluster.resources:
        output = resource.observed.output if resource.observed else None
        record = output.record if isinstance(output, IngressState) else output
        if isinstance(record, ReleaseRecord):
            yield f"{record.name} {record.chart_version}"
