"""By which of its two ways EKS gives the operator its role: IRSA, or EKS Pod Identity."""

from __future__ import annotations

from dataclasses import replace

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import OPERATOR
from anyscale_k8s_cli.provider import Cluster, install_on
from anyscale_k8s_cli.providers.eks import identity, trust
from anyscale_k8s_cli.providers.eks.arns import Arn
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.discovery import EksFacts
from anyscale_k8s_cli.spec import CloudSpec


def chosen(aws: Aws, spec: CloudSpec, cluster: Cluster) -> Cluster:
    """The cluster with what was said of it, or else with what fits it.

    What is installed stays. What is not gets EKS Pod Identity where its agent runs: that
    needs no OIDC provider.
    """
    facts: EksFacts = cluster.facts
    asked = spec.identity.kind
    if asked == "irsa" or (asked == "auto" and not facts.has_agent):
        return cluster
    try:
        there = aws.eks.association(cluster.name, spec.namespace, OPERATOR.account)
    except CloudFailure as failure:
        # Who may not look set up with IRSA before there was a choice.
        if asked == "auto" and failure.denied:
            return cluster
        raise
    pods = asked == "pod-identity" or there is not None or _fits(aws, spec, cluster)
    return replace(cluster, facts=replace(facts, pod_identity=pods, association=there))


def _fits(aws: Aws, spec: CloudSpec, cluster: Cluster) -> bool:
    """As the role's trust has it, where the role is there."""
    given = spec.existing.identity
    name = Arn.parse(given).name if given else identity.role_name(spec, install_on(cluster, spec))
    role = aws.iam.role(name)
    if role is None:
        return spec.existing.oidc_provider != "use"
    return trust.admits_pods(role.trust)
