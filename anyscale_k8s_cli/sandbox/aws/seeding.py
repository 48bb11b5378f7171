"""Puts the seeds into moto: users, roles, providers and buckets."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.policy import Document
from anyscale_k8s_cli.sandbox.aws.seed import ADMIN, BucketSeed, EksClusterSeed
from anyscale_k8s_cli.sandbox.aws.webhook import STS_AUDIENCE

# The thumbprint of the root that signed EKS's issuers when IAM still asked for one.
_THUMBPRINT = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"


@dataclass(frozen=True, slots=True)
class AdminKey:
    access_key: str
    secret: str


def seed_admin(account: Account, policies: Iterable[Document], region: str) -> AdminKey:
    # A user is of no region, but moto takes its partition from one.
    user = account.iam.create_user(region, ADMIN)
    # moto's ids of users do not look like those of IAM.
    user.id = "AIDA" + user.id[:16].upper()
    account.replace_user_policies(ADMIN, list(policies))
    key = user.create_access_key(prefix="AKIA")
    return AdminKey(key.access_key_id, key.secret_access_key)


def seed_cluster(account: Account, seed: EksClusterSeed) -> None:
    """The IAM objects of a cluster."""
    if seed.oidc_provider_registered:
        account.iam.create_open_id_connect_provider(
            url=seed.issuer,
            thumbprint_list=[_THUMBPRINT],
            client_id_list=[STS_AUDIENCE],
            tags=[],
        )
    services = {"cluster": "eks.amazonaws.com", "node": "ec2.amazonaws.com"}
    for name, service in services.items():
        account.iam.create_role(
            role_name=f"{seed.name}-{name}",
            assume_role_policy_document=json.dumps(_trust(service)),
            path="/",
            permissions_boundary=None,
            description="",
            tags=[{"Key": "team", "Value": "platform"}],
            max_session_duration="3600",
        )


def seed_bucket(account: Account, seed: BucketSeed) -> None:
    owner = Account(seed.account_id or account.id, seed.region)
    s3 = owner.s3
    s3.create_bucket(seed.name, seed.region)
    owner.complete_bucket(seed.name, {})
    if seed.versioned:
        s3.put_bucket_versioning(seed.name, "Enabled")
    for key, content in seed.objects:
        s3.put_object(seed.name, key, content)
    if seed.tags:
        s3.put_bucket_tagging(seed.name, dict(seed.tags))


def _trust(service: str) -> Document:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        ],
    }
