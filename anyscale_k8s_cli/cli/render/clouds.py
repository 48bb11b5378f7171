"""Clouds in a list, and one cloud with its clusters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.cli.render.style import HEALTH, UNKNOWN, moment


def show_list(document: Mapping[str, Any], console: Console) -> None:
    clouds = document["clouds"]
    if not clouds:
        console.print("There are no clouds yet. Make one with:")
        table.command(console, "anyscale cloud setup")
        return
    table.plain(
        console,
        ("NAME", "ID", "PLATFORM", "REGION", "STACK", "STATE"),
        [
            [
                *(table.text_of(cloud.get(key)) for key in ("name", "id")),
                _platform(cloud),
                *(table.text_of(cloud.get(key)) for key in ("region", "compute_stack", "state")),
            ]
            for cloud in clouds
        ],
    )


def _platform(cloud: Mapping[str, Any]) -> str:
    """Where its clusters are, as `--provider` has it; else what Anyscale calls that."""
    return table.text_of(cloud.get("platforms") or cloud.get("provider"))


def show_cloud(
    document: Mapping[str, Any], console: Console, *, now: datetime | None = None
) -> None:
    now = now or datetime.now(UTC)
    cloud = document["cloud"]
    console.print(Text(f"Cloud {cloud['name']}", style="bold"))
    table.facts(
        console,
        [
            ("id", cloud["id"]),
            ("platform", _platform(cloud)),
            ("region", cloud.get("region")),
            ("stack", cloud.get("compute_stack")),
            ("state", cloud.get("state")),
            ("default", "yes" if cloud.get("is_default") else ""),
            ("created", moment(cloud.get("created_at"), now)),
        ],
    )
    for resource in document["resources"]:
        _resource(resource, console, now)
    if not document["resources"]:
        console.print("  No cluster is registered in it.")


def show_spec(document: Mapping[str, Any], console: Console) -> None:
    console.print(Text(document["text"]), soft_wrap=True, end="")


def _resource(resource: Mapping[str, Any], console: Console, now: datetime) -> None:
    status = str(resource.get("operator_status") or "UNKNOWN")
    mark = HEALTH.get(status, UNKNOWN)
    storage = resource.get("object_storage") or {}
    kubernetes = resource.get("kubernetes_config") or {}
    table.heading(console, f"Resource {resource['name']}")
    table.facts(
        console,
        [
            ("id", resource["cloud_resource_id"]),
            ("provider", resource.get("provider")),
            ("region", resource.get("region")),
            ("zones", table.text_of(kubernetes.get("zones"))),
            ("operator", Text(f"{mark.symbol} {status}", style=mark.style)),
            ("version", resource.get("operator_version")),
            ("last report", moment(resource.get("reported_at"), now)),
            ("bucket", storage.get("bucket_name")),
            ("identity", kubernetes.get("anyscale_operator_iam_identity")),
        ],
    )
