"""What a person says of a cluster, and whether it can mean anything here: offline."""

from __future__ import annotations

import re

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.spec import CloudSpec

# What the control plane takes for a region's name.
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REGION_LIMIT = 35


def check_region(spec: CloudSpec) -> None:
    """The label that Anyscale routes by. Raises `invalid-spec`."""
    region = spec.region or ""
    if not _REGION.fullmatch(region) or len(region) > _REGION_LIMIT:
        raise invalid(
            f"--region: {region!r} cannot be the name of a region",
            f"at most {_REGION_LIMIT} lower-case letters, digits and single dashes",
            "give a label such as onprem or berlin-1",
        )


def check_network(spec: CloudSpec) -> None:
    """What only annotations can ask for here. Raises `invalid-spec`."""
    network = spec.network
    cause = "what serves load balancers in the cluster is not known, nor how it is asked for that"
    if network.load_balancer_subnets:
        raise invalid(
            "--lb-subnet: nobody here heeds it",
            cause,
            "leave it out, and name the subnet as your load balancer takes it, by "
            "network.annotations in a cloud.yaml",
        )
    if network.expose == "internal" and not network.annotations and not spec.existing.gateway:
        raise invalid(
            "--expose internal: the load balancer cannot be asked to be internal",
            cause,
            "say how yours is asked, by network.annotations in a cloud.yaml "
            "(docs/providers/generic.md)",
        )


def invalid(message: str, cause: str, fix: str) -> errors.CliError:
    return errors.CliError(errors.INVALID_SPEC, message, cause=cause, fix=fix)
