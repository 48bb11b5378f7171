"""Everything in the project that matters, as plain data to compare."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from anyscale_k8s_cli.sandbox.google.balancing import Balancing
from anyscale_k8s_cli.sandbox.google.buckets import Bucket, Buckets
from anyscale_k8s_cli.sandbox.google.policies import Policy, PolicyRules
from anyscale_k8s_cli.sandbox.google.project import Project


def snapshot(project: Project, buckets: Buckets, balancing: Balancing) -> dict[str, Any]:
    """The project's objects by kind and name; equal data mean an equal project.

    Times and etags are left out: they say nothing about what was changed.
    """
    rules = project.rules
    return {
        "policy": _bindings(rules, project.policy),
        "services": sorted(project.enabled),
        "service_accounts": {
            account.email: {
                "display_name": account.display_name,
                "description": account.description,
                "policy": _bindings(rules, account.policy),
            }
            for account in project.accounts.live()
        },
        "buckets": {
            bucket.name: _bucket(rules, bucket)
            for bucket in buckets.live()
            if bucket.project_number == project.number
        },
        "forwarding_rules": {
            rule.name: {
                "service": rule.service,
                "address": rule.address,
                "scheme": rule.scheme,
                "deleting": rule.gone_at is not None,
            }
            for rule in balancing.rules()
        },
    }


def _bucket(rules: PolicyRules, bucket: Bucket) -> dict[str, Any]:
    settings = bucket.as_json()
    access = settings["iamConfiguration"]
    return {
        "location": bucket.location,
        "storage_class": settings["storageClass"],
        "uniform": bucket.uniform,
        "public_access_prevention": access["publicAccessPrevention"],
        "versioning": bucket.versioned,
        "labels": settings.get("labels", {}),
        "cors": settings.get("cors", []),
        "lifecycle": settings.get("lifecycle", {}),
        "encryption": settings.get("encryption", {}),
        "soft_delete_seconds": int(bucket.soft_delete.total_seconds()),
        "policy": _bindings(rules, bucket.policy),
        "versions": [
            (stored.name, stored.generation, sha256(stored.content).hexdigest())
            for stored, _ in bucket.objects.listed(versions=True)
        ],
    }


def _bindings(rules: PolicyRules, policy: Policy) -> dict[str, list[str]]:
    shown = rules.shown(policy, 3).get("bindings", [])
    found: dict[str, list[str]] = {}
    for binding in shown:
        key = binding["role"] + (f" if {binding['condition']}" if "condition" in binding else "")
        found[key] = binding["members"]
    return found
