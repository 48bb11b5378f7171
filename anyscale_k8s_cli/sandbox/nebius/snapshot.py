"""Everything in the project that matters, as plain data to compare."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.sandbox.nebius.addresses import Addresses
from anyscale_k8s_cli.sandbox.nebius.collection import Collection
from anyscale_k8s_cli.sandbox.nebius.tenant import Tenant


def snapshot(tenant: Tenant, addresses: Addresses) -> dict[str, Any]:
    """The project's objects by kind and id; equal data mean an equal project.

    Versions and times are left out: they say nothing about what was changed. So are
    secrets.
    """
    return {
        "service_accounts": _shown(tenant.accounts),
        "groups": _shown(tenant.groups),
        "memberships": _shown(tenant.memberships),
        "permits": _shown(tenant.permits),
        "access_keys": _shown(tenant.keys),
        "buckets": _shown(tenant.buckets),
        "addresses": {
            item.id: {
                "address": item.address,
                "service": item.service,
                "deleting": item.gone_at is not None,
            }
            for item in addresses.live()
        },
    }


def _shown(items: Collection[Any]) -> dict[str, Any]:
    return {
        item.metadata.id: {
            "parent": item.metadata.parent_id,
            "name": item.metadata.name,
            "labels": dict(sorted(item.metadata.labels.items())),
            "spec": str(item.spec),
        }
        for item in items.items.values()
    }
