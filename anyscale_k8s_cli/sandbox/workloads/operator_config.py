"""What the operator's container is told by its chart and by the platform, as variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

CREATED_BY = "anyscale-operator"


class BadConfig(Exception):
    """The container cannot start with these variables."""


@dataclass(frozen=True)
class GatewayConfig:
    """`address` is the host name or the IP address in the values; empty when there is none."""

    name: str
    namespace: str
    address: str


@dataclass(frozen=True)
class OperatorConfig:
    """`report_interval` in seconds; `excluded` are components that are not verified."""

    resource_id: str
    control_plane: str
    provider: str
    region: str
    iam_identity: str
    version: str
    report_interval: float
    instance_types: str
    excluded: frozenset[str]
    gateway: GatewayConfig | None
    ingress_class: str
    ingress_address: str
    token: str
    aws_endpoint: str
    environ: Mapping[str, str]

    @property
    def certificate_secret(self) -> str:
        return f"anyscale-{self.resource_id.replace('_', '-')}-certificate"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> OperatorConfig:
        """Raises :class:`BadConfig` naming what is missing."""
        return cls(
            resource_id=_needed(environ, "ANYSCALE_CLOUD_DEPLOYMENT_ID"),
            control_plane=_needed(environ, "ANYSCALE_CONTROL_PLANE_URL").rstrip("/"),
            provider=environ.get("ANYSCALE_CLOUD_PROVIDER", ""),
            region=environ.get("AWS_REGION", ""),
            iam_identity=environ.get("ANYSCALE_IAM_IDENTITY", ""),
            version=environ.get("ANYSCALE_OPERATOR_VERSION", "unknown"),
            report_interval=seconds(environ.get("ANYSCALE_REPORT_INTERVAL", "30s")),
            instance_types=environ.get("ANYSCALE_INSTANCE_TYPES_CONFIG_MAP") or "instance-types",
            excluded=frozenset(
                environ.get("ANYSCALE_EXCLUDE_COMPONENT_VERIFICATION", "").split(",")
            ),
            gateway=_gateway(environ),
            ingress_class=environ.get("ANYSCALE_INGRESS_CLASS", ""),
            ingress_address=environ.get("ANYSCALE_INGRESS_ADDRESS", ""),
            token=environ.get("ANYSCALE_CLI_TOKEN", ""),
            aws_endpoint=environ.get("AWS_ENDPOINT_URL", "").rstrip("/"),
            environ=environ,
        )


def seconds(duration: str) -> float:
    """A duration such as `30s`, `5m` or `1m30s` in seconds; a bare number counts as seconds."""
    if duration.replace(".", "", 1).isdigit():
        return float(duration)
    if not duration or _DURATION.sub("", duration):
        raise BadConfig(f"{duration!r} is not a duration")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))


def _gateway(environ: Mapping[str, str]) -> GatewayConfig | None:
    if environ.get("ANYSCALE_GATEWAY_ENABLED", "false").lower() != "true":
        return None
    return GatewayConfig(
        name=environ.get("ANYSCALE_GATEWAY_NAME", ""),
        namespace=environ.get("ANYSCALE_GATEWAY_NAMESPACE", ""),
        address=environ.get("ANYSCALE_GATEWAY_HOSTNAME")
        or environ.get("ANYSCALE_GATEWAY_IP")
        or "",
    )


def _needed(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise BadConfig(f"{name} is not set")
    return value
