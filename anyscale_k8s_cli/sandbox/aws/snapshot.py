"""Everything in the account that matters, as plain data to compare."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.elastic import Elastic


def snapshot(account: Account, elastic: Elastic) -> dict[str, Any]:
    """The account's objects by kind and name; equal data mean an equal account.

    Times are left out where they say nothing about what was changed.
    """
    return {
        "buckets": {bucket.name: _bucket(account, bucket) for bucket in account.buckets()},
        "roles": {role.name: _role(account, role) for role in account.roles()},
        "policies": {
            policy.arn: {
                "document": account.managed_document(policy),
                "tags": _tags(policy.get_tags()),
            }
            for policy in account.iam.managed_policies.values()
            if account.id in policy.arn
        },
        "oidc_providers": {
            provider.arn: {
                "client_ids": sorted(provider.client_id_list),
                "thumbprints": sorted(provider.thumbprint_list),
                "tags": _tags(provider.tag_list_type),
            }
            for provider in account.oidc_providers()
        },
        "load_balancers": {
            balancer.name: {
                "tags": dict(balancer.tags),
                "scheme": balancer.scheme,
                "deleting": balancer.gone_at is not None,
            }
            for balancer in elastic.load_balancers()
        },
        "security_groups": {
            group.id: {"name": group.name, "tags": dict(group.tags)}
            for group in elastic.security_groups()
        },
        "pod_identity_associations": {
            f"{cluster.seed.name}/{association['namespace']}/{association['serviceAccount']}": {
                "role": association["roleArn"],
                "tags": dict(association["tags"]),
            }
            for cluster in elastic.clusters.all()
            for association in cluster.associations.values()
        },
    }


def _bucket(account: Account, bucket: Any) -> dict[str, Any]:
    return {
        "region": bucket.region_name,
        "versioning": bucket.versioning_status,
        "tags": account.bucket_tags(bucket),
        "policy": bucket.policy.decode() if bucket.policy else None,
        "cors": [dict(vars(rule)) for rule in bucket.cors],
        "lifecycle": [rule.to_config_dict() for rule in bucket.rules],
        "encryption": bucket.encryption,
        "ownership": bucket.ownership_rule,
        "public_access_block": bucket.public_access_block.to_config_dict()
        if bucket.public_access_block
        else None,
        "uploads": sorted(upload.key_name for upload in bucket.multiparts.values()),
        "versions": sorted(_version(version) for version in account.object_versions(bucket)),
    }


def _version(version: Any) -> tuple[str, str, str]:
    """Key, version id, and a hash of the content; a delete marker has no content."""
    content = sha256(version.value).hexdigest() if hasattr(version, "value") else ""
    return version.name, str(version.version_id), content


def _role(account: Account, role: Any) -> dict[str, Any]:
    return {
        "path": role.path,
        "trust": account.trust(role),
        "inline": {name: role.policies[name] for name in sorted(role.policies)},
        "attached": sorted(role.managed_policies),
        "boundary": role.permissions_boundary_arn,
        "tags": _tags(role.tags),
    }


def _tags(tags: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}
