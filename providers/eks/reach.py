"""Whether the cluster's API endpoint can be reached from here, and what its settings say if not."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.reach import why_unreachable
from anyscale_k8s_cli.providers.eks.sdk.eks import ClusterDescription

EVERYBODY = "0.0.0.0/0"


def check_reachable(described: ClusterDescription, region: str) -> None:
    """Raise `cluster-unreachable` with the way in, for an endpoint that is not open to all.

    One that is open to all is not tried: why that fails, EKS cannot tell.
    """
    if described.public_endpoint and EVERYBODY in described.public_cidrs:
        return
    seen = why_unreachable(described.endpoint)
    if seen:
        raise _unreachable(described, region, seen)


def _unreachable(described: ClusterDescription, region: str, seen: str) -> errors.CliError:
    change = (
        f"aws eks update-cluster-config --name {described.name} --region {region} "
        "--resources-vpc-config "
    )
    if described.public_endpoint:
        cause = f"its endpoint admits {', '.join(described.public_cidrs)} alone"
        fix = (
            "run this from an admitted address, or admit yours: "
            f"{change}publicAccessCidrs={','.join(described.public_cidrs)},<your address>/32"
        )
    else:
        cause = "its endpoint is private, and this machine is outside its network"
        fix = (
            "run this inside the VPC or through a VPN, or open the endpoint to your address: "
            f"{change}endpointPublicAccess=true,publicAccessCidrs=<your address>/32"
        )
    return errors.CliError(
        errors.CLUSTER_UNREACHABLE,
        f"The API of the EKS cluster {described.name} cannot be reached from here",
        cause=cause,
        evidence=(seen,),
        fix=fix,
        details={"endpoint": described.endpoint, "private": not described.public_endpoint},
    )
