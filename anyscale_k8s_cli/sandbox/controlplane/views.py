"""Clouds, resources and people as the API shows them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from anyscale_k8s_cli.sandbox.controlplane.accounts import Account, Seed
from anyscale_k8s_cli.sandbox.controlplane.clouds import Behaviour, Cloud, Operator, Resource
from anyscale_k8s_cli.sandbox.controlplane.shapes import OperatorHealth


def user(account: Account, seed: Seed, default_cloud_id: str | None) -> dict[str, Any]:
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "lastname": "",
        "username": account.email,
        "verified": True,
        "has_setup_cloud": default_cloud_id is not None,
        "organization_permission_level": account.permission_level,
        "organization_ids": [seed.organization_id],
        "organizations": [
            {
                "id": seed.organization_id,
                "name": seed.organization_name,
                "public_identifier": seed.organization_name.lower(),
                "default_cloud_id": default_cloud_id,
            }
        ],
    }


def service_account(account: Account, seed: Seed) -> dict[str, Any]:
    return {
        "user_id": account.id,
        "name": account.name,
        "organization_id": seed.organization_id,
        "email": account.email,
        "permission_level": account.permission_level,
        "created_at": account.created_at.isoformat(),
    }


def collaborator(account: Account) -> dict[str, Any]:
    return {
        "id": account.identity,
        "user_id": account.id,
        "name": account.name,
        "email": account.email,
        "permission_level": account.permission_level,
        "created_at": account.created_at.isoformat(),
        "is_service_account": account.service,
    }


def cloud(record: Cloud, now: datetime) -> dict[str, Any]:
    ready = now >= record.ready_at
    state = "DELETING" if record.deleting else "ACTIVE" if ready else "CREATING"
    return {
        **record.content,
        "id": record.id,
        "type": "PUBLIC",
        "creator_id": record.creator_id,
        "created_at": record.created_at.isoformat(),
        "status": "ready" if ready else "pending",
        "state": state,
        "version": "v2",
        "is_default": record.is_default,
        "is_aggregated_logs_enabled": False,
        "customer_aggregated_logs_config_id": "",
    }


def resource(record: Resource, behaviour: Behaviour, now: datetime) -> dict[str, Any]:
    """The decorated form."""
    return {
        **record.content,
        "cloud_resource_id": record.id,
        "cloud_deployment_id": record.id,
        "created_at": record.created_at.isoformat(),
        "is_default": record.is_default,
        "operator_status": operator_status(record.operator, behaviour, now),
        "operator_status_details": _details(record.operator),
    }


def operator_status(operator: Operator, behaviour: Behaviour, now: datetime) -> OperatorHealth:
    """The last word of the operator, unless it was shut out or has been silent for too long."""
    if operator.shut_out:
        return OperatorHealth.DISCONNECTED
    if operator.reported_at is None:
        return OperatorHealth.UNSPECIFIED
    if now - operator.reported_at > timedelta(seconds=behaviour.disconnected_after):
        return OperatorHealth.DISCONNECTED
    return operator.status


def _details(operator: Operator) -> dict[str, Any] | None:
    if operator.reported_at is None:
        return None
    return {
        "operator_version": operator.version,
        "check_results": [check.model_dump(mode="json") for check in operator.checks],
        "reported_at": operator.reported_at.isoformat(),
    }
