"""What the operator verifies of its surroundings, one function per component.

The names are the real operator's. Each function looks at the world as it is
now, over the same APIs as the real one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp
import yaml

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod
from anyscale_k8s_cli.sandbox.workloads.api import ApiFailure, Object, PodApi
from anyscale_k8s_cli.sandbox.workloads.operator_cloud import CloudFailure, CloudSession
from anyscale_k8s_cli.sandbox.workloads.operator_config import OperatorConfig

_GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"
_OLDEST = (1, 28)
_MANAGED = (("", "pods"), ("", "services"), ("", "secrets"), ("", "configmaps"))
_VERBS = ("create", "delete")


class Component(StrEnum):
    """What the real operator reports on."""

    STORAGE_BUCKET = "STORAGE_BUCKET"
    KUBERNETES_VERSION = "KUBERNETES_VERSION"
    GATEWAY_RESOURCES = "GATEWAY_RESOURCES"
    CLOUD_RESOURCES = "CLOUD_RESOURCES"
    IAM_IDENTITY = "IAM_IDENTITY"
    KUBERNETES_PERMISSIONS = "KUBERNETES_PERMISSIONS"
    INSTANCE_TYPES = "INSTANCE_TYPES"


@dataclass(frozen=True)
class Finding:
    component: Component
    healthy: bool
    details: str

    def as_json(self) -> dict[str, str]:
        status = "HEALTHY" if self.healthy else "UNHEALTHY"
        return {"name": self.component, "status": status, "details": self.details}


class Unwell(Exception):
    """A component does not work; the text says why."""


async def examine(component: Component, check: Callable[[], Awaitable[str]]) -> Finding:
    """Run a check that returns what it found or raises."""
    try:
        return Finding(component, True, await check())
    except (Unwell, CloudFailure, ApiFailure) as problem:
        return Finding(component, False, str(problem))
    except aiohttp.ClientError as problem:
        return Finding(component, False, f"no answer from the Kubernetes API: {problem}")


@dataclass(frozen=True)
class ClusterChecks:
    """What can be seen through the Kubernetes API."""

    pod: Pod
    api: PodApi
    config: OperatorConfig

    async def version(self) -> str:
        found = await self.api.request("GET", "/version")
        numbers = tuple(int(re.sub(r"\D", "", found[part])) for part in ("major", "minor"))
        if numbers < _OLDEST:
            raise Unwell(f"Kubernetes {found['gitVersion']} is older than {_name(_OLDEST)}")
        return f"Kubernetes {found['gitVersion']}"

    async def permissions(self) -> str:
        wanted = [*_MANAGED]
        if self.config.gateway:
            wanted.append(("gateway.networking.k8s.io", "httproutes"))
        else:
            wanted.append(("networking.k8s.io", "ingresses"))
        denied = [
            f"{verb} {resource}"
            for group, resource in wanted
            for verb in _VERBS
            if not await self._may(verb, group, resource)
        ]
        if denied:
            namespace = self.pod.namespace
            raise Unwell(f"missing permissions in namespace {namespace}: {', '.join(denied)}")
        return "all required permissions are granted"

    async def _may(self, verb: str, group: str, resource: str) -> bool:
        """Whether RBAC lets the service account do this in the pod's namespace."""
        wanted = {
            "namespace": self.pod.namespace,
            "verb": verb,
            "group": group,
            "resource": resource,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = await self.api.request("POST", path, review)
        return bool(answer["status"]["allowed"])

    async def gateway(self) -> str:
        wanted = self.config.gateway
        if wanted is None:
            return "Gateway API is disabled; Ingress is used"
        which = f"Gateway {wanted.namespace}/{wanted.name}"
        if not wanted.address:
            raise Unwell("neither networking.gateway.hostname nor networking.gateway.ip is set")
        path = f"{_GATEWAY_API}/namespaces/{wanted.namespace}/gateways/{wanted.name}"
        found = await self.api.find(path)
        if found is None:
            raise Unwell(f"{which} not found")
        addresses = [
            str(item.get("value", "")) for item in found.get("status", {}).get("addresses") or ()
        ]
        if not addresses:
            raise Unwell(f"{which} has no address: {_programmed(found)}")
        if wanted.address not in addresses:
            raise Unwell(
                f"{which} has the address {addresses[0]}, but the operator is configured with "
                f"{wanted.address}"
            )
        return f"{which} is at {wanted.address}"

    async def instance_types(self) -> str:
        name = self.config.instance_types
        path = f"/api/v1/namespaces/{self.pod.namespace}/configmaps/{name}"
        found = await self.api.find(path)
        if found is None:
            raise Unwell(f"ConfigMap {name} not found")
        if found["metadata"].get("labels", {}).get("anyscale.com/name") != "instance-types":
            raise Unwell(f"ConfigMap {name} lacks the label anyscale.com/name=instance-types")
        try:
            types = yaml.safe_load(found.get("data", {}).get("instance_types.yaml", ""))
        except yaml.YAMLError:
            raise Unwell(f"instance_types.yaml in ConfigMap {name} is not YAML") from None
        if not isinstance(types, dict) or not types:
            raise Unwell(f"ConfigMap {name} defines no instance types")
        return f"{len(types)} instance types"


async def bucket(session: CloudSession, storage: dict[str, Any]) -> str:
    """Put, get, list and delete an object of our own."""
    name, content = storage["bucket_name"], secrets.token_bytes(16)
    key = f"anyscale-operator-check/{secrets.token_hex(8)}"
    step = "write to"
    try:
        await session.put(storage, key, content)
        step = "read from"
        if await session.get(storage, key) != content:
            raise Unwell(f"bucket {name} returned other data than was written")
        step = "list"
        await session.list(storage, key)
        step = "delete from"
        await session.delete(storage, key)
    except CloudFailure as failure:
        raise Unwell(f"failed to {step} bucket {name}: {failure}") from failure
    return f"bucket {name} can be read and written"


def _programmed(gateway: Object) -> str:
    """Why a Gateway has no address, in its controller's words."""
    conditions = gateway.get("status", {}).get("conditions") or ()
    found = next((item for item in conditions if item.get("type") == "Programmed"), None)
    if found is None:
        return "no controller has taken it up"
    return str(found.get("message") or found.get("reason"))


def _name(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)
