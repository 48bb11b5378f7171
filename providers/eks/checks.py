"""Checks of the AWS side: what would stop a setup, or make it less than it should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed
from anyscale_k8s_cli.checks.room import Room, room
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.providers.eks import declared, labels, rights
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.boundary import Bounded, leaves_enough
from anyscale_k8s_cli.providers.eks.discovery import EksFacts
from anyscale_k8s_cli.providers.eks.rights import Names
from anyscale_k8s_cli.providers.eks.sdk.account import KEY_ABSENT
from anyscale_k8s_cli.spec import CloudSpec

T = TypeVar("T")

# Codes of Service Quotas: https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
LOAD_BALANCERS = ("elasticloadbalancing", "L-69A177A2")
BUCKETS = ("s3", "L-DC2B2D3D")
_MOST_SUBNETS = 6
_MORE = "ask for more in the Service Quotas console"


def checks(
    spec: CloudSpec,
    cluster: Cluster,
    aws: Aws,
    names: Names,
    bounded: Callable[[], Sequence[Bounded]],
) -> list[BoundCheck]:
    """`bounded` are the roles that are to have the permissions boundary."""
    facts: EksFacts = cluster.facts
    found = [
        declared.AWS_PERMISSIONS.bind(partial(rights.to_set_up, aws, cluster, names)),
        declared.AWS_READ_PERMISSIONS.bind(partial(rights.to_look, aws, cluster, names)),
        _subnets(spec, facts, aws),
        declared.AWS_LOAD_BALANCER_QUOTA.bind_room(partial(_load_balancer_quota, aws)),
    ]
    if facts.pod_identity:
        found.append(declared.EKS_POD_IDENTITY_AGENT.bind(partial(_agent, aws, cluster)))
    if spec.rules.kms_key:
        found.append(
            declared.AWS_KMS_KEY.bind(partial(_kms_key, aws, spec.rules.kms_key, cluster.region))
        )
    if spec.rules.permissions_boundary:
        boundary = partial(leaves_enough, aws, spec.rules.permissions_boundary, bounded)
        found.append(declared.AWS_PERMISSIONS_BOUNDARY.bind(boundary))
    if names.role or names.workload_role:
        found.append(declared.AWS_ROLE_QUOTA.bind_room(partial(_role_quota, aws)))
    if names.bucket:
        found.append(declared.AWS_BUCKET_QUOTA.bind_room(partial(_bucket_quota, aws)))
    return found


# -- subnets --------------------------------------------------------------------


def _subnets(spec: CloudSpec, facts: EksFacts, aws: Aws) -> BoundCheck:
    named = spec.network.load_balancer_subnets
    if named:
        return declared.EKS_SUBNETS_NAMED.bind(partial(_named_subnets, named, facts, aws))
    return declared.EKS_SUBNET_TAGS.bind(partial(_tagged_subnets, spec, facts))


def _named_subnets(named: Sequence[str], facts: EksFacts, aws: Aws) -> Finding:
    """A controller takes ids and the values of the tag Name, and is silent where it finds none."""
    there = aws.network.subnets_of(facts.vpc_id)
    known = {subnet.id for subnet in there} | {subnet.tags.get("Name", "") for subnet in there}
    unknown = [name for name in named if name not in known]
    if not unknown:
        return passed(", ".join(named))
    return Finding(
        Status.FAIL,
        f"the cluster's network {facts.vpc_id} has no subnet {', '.join(unknown)}",
        tuple(
            f"{subnet.id} {subnet.tags.get('Name', '')} in {subnet.zone}"
            for subnet in there[:_MOST_SUBNETS]
        ),
        "give --lb-subnet one of those that are there, by id or name",
    )


def _tagged_subnets(spec: CloudSpec, facts: EksFacts) -> Finding:
    internal = spec.network.expose == "internal"
    tag = labels.SUBNET_ROLE_INTERNAL if internal else labels.SUBNET_ROLE_PUBLIC
    tagged = [subnet for subnet in facts.subnets if subnet.tags.get(tag) in ("1", "")]
    if tagged:
        return passed(f"{len(tagged)} subnets carry {tag}")
    kind = "private" if internal else "public"
    return Finding(
        Status.WARN,
        f"none of the cluster's {len(facts.subnets)} subnets carries the tag {tag}",
        tuple(f"{subnet.id} in {subnet.zone}" for subnet in facts.subnets[:_MOST_SUBNETS]),
        f"aws ec2 create-tags --resources <{kind} subnets> --tags Key={tag},Value=1\n"
        "or name them with --lb-subnet",
    )


# -- the key --------------------------------------------------------------------


def _kms_key(aws: Aws, key: str, region: str) -> Finding:
    try:
        found = aws.account.kms_key(key)
    except CloudFailure as failure:
        if failure.denied:
            return Finding(Status.UNKNOWN, "you may not ask")
        if failure.api_code != KEY_ABSENT:
            raise
        return Finding(
            Status.FAIL,
            f"there is no key {key} in {region}",
            failure.evidence,
            "give --kms-key a key of the bucket's region, by id, ARN or alias/<name>",
        )
    if found.state != "Enabled":
        return Finding(
            Status.FAIL,
            f"{found.arn} is {found.state}",
            fix=f"aws kms enable-key --region {region} --key-id {found.arn}\n"
            "or give --kms-key another one",
        )
    if not found.symmetric:
        return Finding(
            Status.FAIL,
            f"{found.arn} is asymmetric, and S3 encrypts with symmetric keys alone",
            fix="give --kms-key a symmetric key",
        )
    return passed(found.arn)


# -- the agent ------------------------------------------------------------------


def _agent(aws: Aws, cluster: Cluster) -> Finding:
    facts: EksFacts = cluster.facts
    if facts.auto_mode:
        return passed("Auto Mode has it built in")
    name = labels.POD_IDENTITY_AGENT
    where = f"--cluster-name {cluster.name} --region {cluster.region} --addon-name {name}"
    if not facts.has_agent:
        return Finding(
            Status.FAIL,
            f"the cluster {cluster.name} has no add-on {name}, and without it no pod gets a role "
            "by EKS Pod Identity",
            fix=f"aws eks create-addon {where}\naws eks wait addon-active {where}\n"
            "or have the role given by IRSA with --identity-kind irsa",
        )
    status = aws.eks.addon_status(cluster.name, name)
    if status == "ACTIVE":
        return passed(f"{name} is ACTIVE")
    return Finding(
        Status.WARN,
        f"the add-on {name} is {status}: pods may wait for their role",
        fix=f"aws eks describe-addon {where}",
    )


# -- quotas ---------------------------------------------------------------------


def _load_balancer_quota(aws: Aws, needed: int) -> Finding:
    def used() -> int:
        return sum(item.kind == "network" for item in aws.network.load_balancers())

    service, code = LOAD_BALANCERS
    raised = (
        "have the quota raised, or delete load balancers that nobody uses:\n"
        f"aws service-quotas request-service-quota-increase --region {aws.region} "
        f"--service-code {service} --quota-code {code} --desired-value {{}}"
    )
    what = "Network Load Balancers of the region"
    return _quota(what, used, LOAD_BALANCERS, aws, needed, raised)


def _bucket_quota(aws: Aws, needed: int) -> Finding:
    def used() -> int:
        return len(aws.s3.names())

    more = f"{_MORE}, of Amazon S3: General purpose buckets; or name a bucket with --bucket"
    return _quota("buckets of the account", used, BUCKETS, aws, needed, more)


def _role_quota(aws: Aws, needed: int) -> Finding:
    summary = _allowed(aws.iam.account_summary)
    if summary is None or "Roles" not in summary or "RolesQuota" not in summary:
        return Finding(Status.UNKNOWN, "you may not ask")
    found = Room("roles of the account", summary["Roles"], summary["RolesQuota"], needed)
    return room([found], f"{_MORE}, of AWS IAM: Roles per account; or name a role with --identity")


def _quota(
    what: str, used: Callable[[], int], quota: tuple[str, str], aws: Aws, needed: int, more: str
) -> Finding:
    found, most = _allowed(used), _allowed(lambda: int(aws.account.quota(*quota)))
    if found is None or most is None:
        return Finding(Status.UNKNOWN, "you may not ask")
    return room([Room(what, found, most, needed)], more.format(found + needed))


def _allowed(ask: Callable[[], T]) -> T | None:
    """The answer, or None for who may not ask, and where AWS does not know."""
    try:
        return ask()
    except CloudFailure as failure:
        if failure.denied or failure.api_code == "NoSuchResourceException":
            return None
        raise
