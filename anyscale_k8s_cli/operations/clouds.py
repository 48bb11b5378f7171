"""Clouds as the control plane lists them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane.client import ControlPlane
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.credentials import find_credentials
from anyscale_k8s_cli.controlplane.failures import ApiFailure
from anyscale_k8s_cli.controlplane.models import Cloud, CloudResource, DecoratedCloudResource
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.install import platform_told
from anyscale_k8s_cli.operations.requests import GetRequest, ListRequest, Request
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider_registry import available
from anyscale_k8s_cli.run import Run

LIST_SCHEMA = "anyscale-k8s/list/v1"
GET_SCHEMA = "anyscale-k8s/get/v1"

# More would push the fix off the screen.
_MOST_NAMES = 20


@dataclass(frozen=True)
class CloudList:
    """Clouds, and by their ids the platforms that are known of them."""

    clouds: tuple[Cloud, ...]
    platforms: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        told = [_cloud(cloud, self.platforms.get(cloud.id, ())) for cloud in self.clouds]
        return {"schema": LIST_SCHEMA, "clouds": told}


@dataclass(frozen=True)
class CloudReport:
    cloud: Cloud
    resources: tuple[DecoratedCloudResource, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": GET_SCHEMA,
            "cloud": _cloud(self.cloud, platforms_of(self.resources)),
            "resources": [_resource(resource) for resource in self.resources],
        }


@contextmanager
def opened(request: Request, run: Run) -> Iterator[Clouds]:
    """The clouds of the request's user. Raises `not-logged-in` and `token-malformed`."""
    credentials = find_credentials(request.environment, request.home)
    for warning in credentials.warnings:
        run.emit(Notice(level="warning", text=warning))
    with ControlPlane(credentials, run, environ=request.environment) as plane:
        yield Clouds(plane)


async def list_clouds(request: ListRequest, run: Run) -> CloudList:
    """Every cloud, or all those of exactly the given name. Raises `cloud-not-found` without any."""

    def look() -> CloudList:
        with opened(request, run) as clouds:
            found = listed(clouds, request.name)
            return with_platforms(clouds, found)

    return await asyncio.to_thread(look)


def platforms_of(resources: Iterable[CloudResource]) -> tuple[str, ...]:
    """The platforms on which this tool has registered clusters."""
    known = set(available())
    return tuple(sorted(known & {platform_told(resource.name) for resource in resources}))


def with_platforms(clouds: Clouds, found: Sequence[Cloud]) -> CloudList:
    """The clouds with their platforms; without where their resources are not to be seen."""

    def look(cloud: Cloud) -> tuple[str, ...]:
        try:
            return platforms_of(clouds.list_resources(cloud.id))
        except ApiFailure:
            return ()  # gone by now, or not for this user: the list is whole without it

    told = side_by_side(*(partial(look, cloud) for cloud in found))
    ids = (cloud.id for cloud in found)
    return CloudList(tuple(found), dict(zip(ids, told, strict=True)))


async def get_cloud(request: GetRequest, run: Run) -> CloudReport:
    """One cloud with its resources. Raises what :func:`choose` raises."""

    def look() -> CloudReport:
        with opened(request, run) as clouds:
            cloud = choose(clouds, request.name, request.cloud_id)
            return CloudReport(cloud, tuple(clouds.list_resources(cloud.id)))

    return await asyncio.to_thread(look)


async def only_cloud(request: ListRequest, run: Run) -> Cloud:
    """The only cloud there is. Raises `missing-input` with the list when there are several."""

    def look() -> Cloud:
        with opened(request, run) as clouds:
            return choose(clouds, None, None)

    return await asyncio.to_thread(look)


def choose(clouds: Clouds, name: str | None, cloud_id: str | None) -> Cloud:
    """The cloud of this id, else the one of this name, else the only one.

    Raises `cloud-not-found`, `cloud-ambiguous` when several have the name,
    `missing-input` when nothing was said and there are several, and `usage`
    when name and id do not belong together.
    """
    if cloud_id:
        return by_id(clouds, name, cloud_id)
    found = listed(clouds, name)
    if len(found) == 1:
        return found[0]
    if not found:
        raise _not_found(clouds, None)
    if name:
        raise errors.CliError(
            errors.CLOUD_AMBIGUOUS,
            f"{len(found)} clouds are named {name!r}",
            evidence=_listed(found),
            fix=f"say which with --cloud-id {found[0].id}",
        )
    raise errors.CliError(
        errors.MISSING_INPUT,
        f"There are {len(found)} clouds; say which one you mean",
        evidence=_listed(found),
        fix=f"add its name: {found[0].name}",
    )


def listed(clouds: Clouds, name: str | None) -> list[Cloud]:
    """Every cloud, or those of a name. Raises `cloud-not-found` for one that none has."""
    if not name:
        return clouds.list_clouds()
    found = clouds.find_clouds(name)
    if not found:
        raise _not_found(clouds, name)
    return found


def _not_found(clouds: Clouds, name: str | None) -> errors.CliError:
    others = clouds.list_clouds() if name else []
    lists = f"{clouds.plane.host} lists"
    return errors.CliError(
        errors.CLOUD_NOT_FOUND,
        f"There is no cloud named {name!r}" if name else "There is no cloud",
        cause=f"{lists} these for you" if others else f"{lists} none for you",
        evidence=_listed(others),
        fix="give one of these names" if others else "anyscale cloud setup",
    )


def by_id(clouds: Clouds, name: str | None, cloud_id: str) -> Cloud:
    """The cloud of an id; raises `cloud-not-found`, and `usage` where it has another name."""
    cloud = clouds.get_cloud(cloud_id)
    if cloud is None:
        raise errors.CliError(
            errors.CLOUD_NOT_FOUND,
            f"There is no cloud with the id {cloud_id}",
            fix="anyscale cloud list, or leave --cloud-id out" if name else "anyscale cloud list",
        )
    if name and cloud.name != name:
        raise errors.CliError(
            errors.USAGE,
            f"The cloud {cloud_id} is not named {name!r}",
            cause=f"its name is {cloud.name!r}",
            fix="give the name or the id",
        )
    return cloud


def _listed(found: Sequence[Cloud]) -> tuple[str, ...]:
    lines = [f"{cloud.name}  {cloud.id}  {cloud.region}" for cloud in found[:_MOST_NAMES]]
    if len(found) > _MOST_NAMES:
        lines.append(f"and {len(found) - _MOST_NAMES} more")
    return tuple(lines)


def _cloud(cloud: Cloud, platforms: Sequence[str]) -> dict[str, Any]:
    return {
        "id": cloud.id,
        "name": cloud.name,
        "provider": cloud.provider,
        "platforms": list(platforms),
        "region": cloud.region,
        "compute_stack": cloud.compute_stack or ("K8S" if cloud.is_k8s else None),
        "state": cloud.state or cloud.status or None,
        "is_default": cloud.is_default,
        "created_at": cloud.created_at.isoformat() if cloud.created_at else None,
    }


def _resource(resource: DecoratedCloudResource) -> dict[str, Any]:
    shown = resource.model_dump(
        mode="json",
        include={
            "cloud_resource_id",
            "name",
            "provider",
            "region",
            "compute_stack",
            "is_default",
            "operator_status",
        },
    )
    details = resource.operator_status_details
    storage, kubernetes = resource.object_storage, resource.kubernetes_config
    return {
        **shown,
        "operator_version": details.operator_version if details else None,
        "reported_at": resource.reported_at.isoformat() if resource.reported_at else None,
        "object_storage": storage.payload() if storage else None,
        "kubernetes_config": kubernetes.payload() if kubernetes else None,
    }
