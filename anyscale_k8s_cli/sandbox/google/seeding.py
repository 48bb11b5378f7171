"""The accounts and buckets that are there when the world begins; everybody knows them."""

from __future__ import annotations

from collections.abc import Iterable

from anyscale_k8s_cli.sandbox.google.accounts import ServiceAccount
from anyscale_k8s_cli.sandbox.google.buckets import Buckets
from anyscale_k8s_cli.sandbox.google.policies import Grant, Policy
from anyscale_k8s_cli.sandbox.google.project import Project
from anyscale_k8s_cli.sandbox.google.roles import OWNER, TOKEN_CREATOR
from anyscale_k8s_cli.sandbox.google.seed import (
    ADMIN,
    AUTOMATION,
    AccountSeed,
    BucketSeed,
    email_of,
    node_account,
)

_NODE_ROLE = "roles/container.defaultNodeServiceAccount"


def seed_accounts(project: Project, seeds: Iterable[AccountSeed]) -> ServiceAccount:
    """The nodes' account, the administrator and its helper, and `seeds`.

    Returns the administrator.
    """
    nodes = project.accounts.add(
        node_account(project.number), display_name="Compute Engine default service account"
    )
    _grant(project.policy, _NODE_ROLE, nodes)
    admin = project.accounts.add(email_of(ADMIN, project.id), display_name="Demo admin")
    _grant(project.policy, OWNER, admin)
    automation = project.accounts.add(email_of(AUTOMATION, project.id))
    _grant(project.policy, OWNER, automation)
    _grant(automation.policy, TOKEN_CREATOR, admin)
    for seed in seeds:
        account = project.accounts.add(
            email_of(seed.account_id, project.id),
            display_name=seed.display_name,
            description=seed.description,
        )
        for role in seed.project_roles:
            _grant(project.policy, role, account)
    return admin


def seed_bucket(buckets: Buckets, seed: BucketSeed) -> None:
    wanted = {
        "labels": dict(seed.labels),
        "versioning": {"enabled": seed.versioned},
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}},
    }
    bucket = buckets.add(seed.name, seed.project_number, seed.location, wanted)
    for name, content in seed.objects:
        bucket.objects.put(
            name,
            content,
            "application/octet-stream",
            buckets.clock(),
            versioned=seed.versioned,
            soft_delete=True,
        )


def _grant(policy: Policy, role: str, account: ServiceAccount) -> None:
    policy.grants.append(Grant(role, f"serviceAccount:{account.email}", account.unique_id))
    policy.revision += 1
