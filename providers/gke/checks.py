"""Checks of the Google side: what would stop a setup, or make it less than it should be."""

from __future__ import annotations

from functools import partial

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Check, Finding, Severity, Status, passed
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.provider import Cluster, Verb
from anyscale_k8s_cli.providers.gke import codes, permissions
from anyscale_k8s_cli.providers.gke.discovery import GkeFacts
from anyscale_k8s_cli.providers.gke.google import Google

APIS = ("compute", "container", "iam", "iamcredentials", "storage", "sts")


def checks(google: Google, cluster: Cluster) -> list[Check]:
    facts: GkeFacts = cluster.facts
    return [
        Check(
            "gke-workload-identity",
            "Pods can have an identity of Google's",
            partial(_workload_identity, google, cluster, facts),
            error=codes.WORKLOAD_IDENTITY_OFF,
        ),
        Check(
            "gke-pool-metadata",
            "All node pools give pods their identity",
            partial(_some_pools, google, cluster, facts),
            Severity.WARNING,
        ),
        Check(
            "gcp-apis",
            "The APIs that are needed are enabled",
            partial(_apis, google),
            error=codes.API_DISABLED,
        ),
        Check(
            "gcp-permissions",
            "You may do in Google Cloud what setup does",
            partial(_permissions, google),
            error=errors.FORBIDDEN,
        ),
    ]


def _workload_identity(google: Google, cluster: Cluster, facts: GkeFacts) -> Finding:
    where = f"--location {facts.location} --project {google.project}"
    if not facts.workload_pool:
        return Finding(
            Status.FAIL,
            f"the cluster {cluster.name} has no workload identity pool",
            fix=f"gcloud container clusters update {cluster.name} {where} "
            f"--workload-pool={google.project}.svc.id.goog",
        )
    without = facts.pools_without_identity
    if facts.metadata_modes and len(without) == len(facts.metadata_modes):
        return Finding(
            Status.FAIL,
            "no node pool has GKE's metadata server: pods there get the nodes' identity",
            evidence=tuple(f"{name}: {facts.metadata_modes[name]}" for name in without),
            fix=_switch_on(google, cluster, facts, without[0]),
        )
    return passed(facts.workload_pool)


def _some_pools(google: Google, cluster: Cluster, facts: GkeFacts) -> Finding:
    without = facts.pools_without_identity
    if not without:
        return passed(f"{len(facts.metadata_modes)} node pools")
    return Finding(
        Status.WARN,
        f"pods on {', '.join(without)} get the nodes' identity and not their own",
        fix=_switch_on(google, cluster, facts, without[0]),
    )


def _switch_on(google: Google, cluster: Cluster, facts: GkeFacts, pool: str) -> str:
    return (
        f"gcloud container node-pools update {pool} --cluster {cluster.name} --location "
        f"{facts.location} --project {google.project} --workload-metadata=GKE_METADATA"
    )


def _apis(google: Google) -> Finding:
    try:
        enabled = google.projects.enabled(APIS)
    except CloudFailure as failure:
        if failure.denied:
            return Finding(Status.UNKNOWN, "you may not ask")
        raise
    off = [f"{name}.{google.session.universe}" for name in APIS if not enabled.get(name)]
    if off:
        return Finding(
            Status.FAIL,
            f"not enabled in the project {google.project}: {', '.join(off)}",
            fix=f"gcloud services enable {' '.join(off)} --project {google.project}",
        )
    return passed(f"{len(APIS)} APIs")


def _permissions(google: Google) -> Finding:
    """What the project's policy says; roles on single objects are not seen by it."""
    wanted = permissions.in_project(Verb.SETUP)
    try:
        held = google.projects.held(wanted)
    except CloudFailure as failure:
        if failure.denied:
            return Finding(Status.UNKNOWN, "you may not ask")
        raise
    lacking = [name for name in wanted if name not in held]
    if lacking:
        who = google.session.principal or "your Google account"
        return Finding(
            Status.FAIL,
            f"{who} lacks {len(lacking)} permissions in the project {google.project}",
            tuple(lacking),
            "have them allowed; `anyscale cloud permissions --provider gke` prints the role",
        )
    return passed(f"{len(wanted)} permissions")
