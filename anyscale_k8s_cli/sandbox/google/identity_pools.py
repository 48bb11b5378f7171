"""Workload identity pools that people make, and the providers in them, as far as making goes.

https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.google.api import Call, Method, Reply
from anyscale_k8s_cli.sandbox.google.errors import GoogleError, denied, invalid, not_found
from anyscale_k8s_cli.sandbox.google.project import PoolProvider, Project

_POOLS = "/v1/projects/{project}/locations/global/workloadIdentityPools"
_PROVIDERS = _POOLS + "/{pool}/providers"
_NAME = re.compile(r"(?!gcp-)[a-z0-9-]{4,32}")
_SUBJECT = {"google.subject": "assertion.sub"}


@dataclass(frozen=True)
class IdentityPools:
    """Both are there at once: the operations that answer are done."""

    project: Project

    def methods(self) -> tuple[Method, ...]:
        prefix = "iam.projects.locations.workloadIdentityPools"
        return (
            Method(f"{prefix}.create", "POST", _POOLS, self._create, write=True),
            Method(f"{prefix}.providers.create", "POST", _PROVIDERS, self._provide, write=True),
        )

    def _create(self, call: Call) -> Reply:
        self._check(call, "iam.workloadIdentityPools.create")
        pool = self._named(call, "workloadIdentityPoolId")
        name = f"{self._parent}/{pool}"
        if name in self.project.own_pools:
            raise _taken(name)
        self.project.own_pools.add(name)
        return _done(name, {"state": "ACTIVE"})

    def _provide(self, call: Call) -> Reply:
        self._check(call, "iam.workloadIdentityPoolProviders.create")
        pool = f"{self._parent}/{call.params['pool']}"
        if pool not in self.project.own_pools:
            raise not_found("Requested entity was not found.")
        name = f"{pool}/providers/{self._named(call, 'workloadIdentityPoolProviderId')}"
        if name in self.project.providers:
            raise _taken(name)
        oidc = call.content.get("oidc") or {}
        issuer = str(oidc.get("issuerUri") or "")
        if not issuer.startswith("https://"):
            raise invalid("The issuer URI must use the https scheme.")
        if call.content.get("attributeMapping") != _SUBJECT:
            raise invalid(f"Here a provider maps {_SUBJECT} and nothing else.")
        audiences = tuple(map(str, oidc.get("allowedAudiences") or ()))
        self.project.providers[name] = PoolProvider(issuer, audiences)
        return _done(name, {**call.content, "state": "ACTIVE"})

    @property
    def _parent(self) -> str:
        return f"projects/{self.project.number}/locations/global/workloadIdentityPools"

    def _check(self, call: Call, permission: str) -> None:
        called = call.params["project"]
        if not self.project.is_called(called):
            raise denied(permission, f"projects/{called}")
        self.project.check(call.caller, permission, f"projects/{self.project.id}")

    def _named(self, call: Call, parameter: str) -> str:
        name = call.query.get(parameter, "")
        if not _NAME.fullmatch(name):
            raise invalid(f"Invalid value for {parameter}: {name!r}")
        return name


def _taken(name: str) -> GoogleError:
    return GoogleError("ALREADY_EXISTS", f"Requested entity already exists: {name}")


def _done(name: str, response: dict[str, Any]) -> Reply:
    return Reply(
        {"name": f"{name}/operations/made", "done": True, "response": {"name": name, **response}}
    )
