"""Checks of the Google side: what would stop a setup, or make it less than it should be."""

from __future__ import annotations

from functools import partial

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed, unless_denied
from anyscale_k8s_cli.checks.room import Room, room
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.providers.gke import declared, discovery, policies, rights, wording
from anyscale_k8s_cli.providers.gke.cloud_side import Names
from anyscale_k8s_cli.providers.gke.discovery import GkeFacts
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.providers.gke.sdk.iam import DISABLED
from anyscale_k8s_cli.spec import CloudSpec

APIS = (
    "cloudresourcemanager",
    "compute",
    "container",
    "iam",
    "iamcredentials",
    "storage",
    "sts",
)
# Of a passthrough load balancer, which GKE makes for a Service.
# https://cloud.google.com/compute/docs/reference/rest/v1/regions/get
LOAD_BALANCER_QUOTAS = ("IN_USE_ADDRESSES", "EXTERNAL_NETWORK_LB_FORWARDING_RULES")


def checks(spec: CloudSpec, cluster: Cluster, google: Google, names: Names) -> list[BoundCheck]:
    facts: GkeFacts = cluster.facts
    found = [
        declared.GKE_WORKLOAD_IDENTITY.bind(partial(_workload_identity, cluster, facts)),
        declared.GKE_POOL_METADATA.bind(partial(_some_pools, cluster, facts)),
        declared.GCP_APIS.bind(partial(_apis, google)),
        declared.GCP_PERMISSIONS.bind(partial(rights.to_set_up, google, names)),
        declared.GCP_READ_PERMISSIONS.bind(partial(rights.to_look, google, names)),
    ]
    if spec.network.expose == "public":
        # Of internal ones Google tells the limit by network, and not what is used of it.
        quota = partial(_load_balancer_quota, google, cluster.region)
        found.append(declared.GCP_LOAD_BALANCER_QUOTA.bind_room(quota))
    for name in spec.network.load_balancer_subnets:
        subnet = partial(_subnet, google, cluster.region, facts, name)
        found.append(declared.GKE_SUBNET_NAMED.bind(subnet))
    if spec.rules.kms_key:
        found.append(
            declared.GCP_KMS_KEY.bind(partial(_kms_key, spec.rules.kms_key, cluster.region))
        )
    if names.own_role:
        own_role = partial(_storage_role, google, names.own_role)
        found.append(declared.GCP_STORAGE_ROLE.bind(own_role))
    return found


def _workload_identity(cluster: Cluster, facts: GkeFacts) -> Finding:
    if not facts.workload_pool:
        return Finding(
            Status.FAIL,
            f"the cluster {cluster.name} has no workload identity pool",
            fix=discovery.switch_on_pool(cluster),
        )
    without = facts.pools_without_identity
    if facts.metadata_modes and len(without) == len(facts.metadata_modes):
        return Finding(
            Status.FAIL,
            "no node pool has GKE's metadata server: pods there get the nodes' identity",
            evidence=tuple(f"{name}: {facts.metadata_modes[name]}" for name in without),
            fix=discovery.switch_on_metadata(cluster, without),
        )
    return passed(facts.workload_pool)


def _some_pools(cluster: Cluster, facts: GkeFacts) -> Finding:
    without = facts.pools_without_identity
    if not without:
        return passed(f"{len(facts.metadata_modes)} node pools")
    return Finding(
        Status.WARN,
        f"pods on {', '.join(without)} get the nodes' identity and not their own",
        fix=discovery.switch_on_metadata(cluster, without),
    )


@unless_denied("ask")
def _apis(google: Google) -> Finding:
    enabled = google.projects.enabled(APIS)
    off = [f"{name}.{google.session.universe}" for name in APIS if not enabled.get(name)]
    if off:
        return Finding(
            Status.FAIL,
            f"not enabled in the project {google.project}: {', '.join(off)}",
            fix=f"gcloud services enable {' '.join(off)} --project {google.project}",
        )
    return passed(f"{len(APIS)} APIs")


@unless_denied("look")
def _subnet(google: Google, region: str, facts: GkeFacts, name: str) -> Finding:
    """Whether an internal load balancer of the cluster can stand in it."""
    parts = facts.network.split("/")
    project, network = parts[1], parts[-1]
    found = google.compute.subnet(project, region, name)
    if found is None:
        why = f"{region} has no subnet {name} in the project {project}"
    elif not found.network.endswith(f"/networks/{network}"):
        why = f"the subnet {name} is of {found.network}, and the cluster of {facts.network}"
    elif found.purpose != "PRIVATE":
        why = f"the subnet {name} is kept for {found.purpose}, and takes no such load balancer"
    else:
        return passed(f"{name} of {network}")
    listing = f"gcloud compute networks subnets list --project {project} --network {network}"
    fix = f"{listing} --regions {region}\nand name one of purpose PRIVATE with --lb-subnet"
    return Finding(Status.FAIL, why, fix=fix)


@unless_denied("ask")
def _load_balancer_quota(google: Google, region: str, needed: int) -> Finding:
    found = google.compute.quotas(region)
    rooms = [
        Room(f"{metric} of {region}", quota.used, quota.limit, needed)
        for metric, quota in found.items()
        if metric in LOAD_BALANCER_QUOTAS
    ]
    if not rooms:
        return Finding(Status.UNKNOWN, f"Google tells of no such limit in {region}")
    return room(
        rooms,
        "ask for more on the page IAM & Admin, Quotas in Google's console,\n"
        "or let go of what nobody uses of these:\n"
        f"gcloud compute forwarding-rules list --project {google.project} --regions {region}",
    )


def _kms_key(key: str, region: str) -> Finding:
    """Whether Google's storage may use it comes out when the bucket is made."""
    location = wording.location_of_key(key)
    if location == region:
        return passed(location)
    return Finding(
        Status.FAIL,
        f"the key is in {location} and the bucket will be in {region}",
        fix=f"give --kms-key a key in {region}",
    )


@unless_denied("look")
def _storage_role(google: Google, name: str) -> Finding:
    """A role that is switched off or deleted stays in policies, and gives nothing there."""
    role = google.iam.role(name)
    needed = policies.BUCKET_PERMISSIONS
    place = wording.place_of_role(name)
    if role is None:
        make = f"gcloud iam roles create {place} --permissions={','.join(needed)}"
        return Finding(Status.FAIL, f"there is no role {name}", fix=make)
    if role.deleted:
        fix = f"gcloud iam roles undelete {place}"
        return Finding(Status.FAIL, f"the role {name} is deleted", fix=fix)
    if role.stage == DISABLED:
        fix = f"gcloud iam roles update {place} --stage=GA"
        return Finding(Status.FAIL, f"the role {name} is disabled", fix=fix)
    lacking = [item for item in needed if item not in role.permissions]
    if lacking:
        return Finding(
            Status.FAIL,
            f"the role {name} lacks {len(lacking)} of {len(needed)} permissions",
            evidence=tuple(lacking),
            fix=f"gcloud iam roles update {place} --add-permissions={','.join(lacking)}",
        )
    return passed(f"{len(needed)} permissions")
