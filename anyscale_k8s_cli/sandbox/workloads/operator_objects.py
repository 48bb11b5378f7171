"""What the operator makes in its namespace: the certificate's Secret, and Ray clusters.

Everything carries one label, by which it is found again and cleared away when
the registration has gone. None of it belongs to the Helm release.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from urllib.parse import urlencode

import trustme

from anyscale_k8s_cli.sandbox.workloads.api import ApiFailure, Object, PodApi
from anyscale_k8s_cli.sandbox.workloads.operator_config import CREATED_BY, OperatorConfig

_LABEL = "anyscale.com/managed-by"
_SELECTOR = f"{_LABEL}={CREATED_BY}"
_HEADS = f"{_SELECTOR},ray-node-type=head"
_GATEWAY = "gateway.networking.k8s.io/v1"
_NETWORKING = "networking.k8s.io/v1"
_RAY_IMAGE = "anyscale/ray:2.49.0-slim-py312"
# Of the kinds it makes: API path of the group and version, plural.
_ROUTES = (f"/apis/{_GATEWAY}", "httproutes")
_INGRESSES = (f"/apis/{_NETWORKING}", "ingresses")
_OF_A_HEAD = (("/api/v1", "services"), ("/api/v1", "pods"))
_SECRETS = ("/api/v1", "secrets")


@dataclass(frozen=True)
class ManagedObjects:
    """Objects of one operator in one namespace."""

    namespace: str
    api: PodApi
    config: OperatorConfig

    async def ensure_certificate(self, domain: str) -> bool:
        """Make the TLS Secret that the session listener refers to; True if it was missing.

        It is for everything below `*.i.` of the domain, which the control plane tells.
        """
        name = self.config.certificate_secret
        if await self.api.find(f"{self._path('/api/v1', 'secrets')}/{name}") is not None:
            return False
        issued = trustme.CA().issue_cert(f"*.i.{domain}")
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        manifest = self._object("v1", "Secret", name)
        manifest["type"] = "kubernetes.io/tls"
        manifest["data"] = {
            "tls.crt": base64.b64encode(chain).decode(),
            "tls.key": base64.b64encode(issued.private_key_pem.bytes()).decode(),
        }
        await self._create(self._path("/api/v1", "secrets"), manifest)
        return True

    async def heads(self) -> list[str]:
        """The names of the head pods that are running or on their way."""
        found = await self._items(self._path("/api/v1", "pods"), _HEADS)
        return sorted(
            pod["metadata"]["name"] for pod in found if not pod["metadata"].get("deletionTimestamp")
        )

    async def run_workloads(self, wanted: int | None) -> int:
        """Start or end Ray clusters until there are as many; returns how many there are.

        None leaves them as they are.
        """
        names = await self.heads()
        if wanted is None:
            return len(names)
        for number in range(wanted - len(names)):
            await self._start(f"ray-head-{time.time_ns() // 1_000_000:x}-{number}")
        for name in names[wanted:]:
            await self._end(name)
        return wanted

    async def clear(self) -> int:
        """Remove everything that this operator made; returns how many objects it was."""
        removed = 0
        for group, plural in (*self._ways_in, *_OF_A_HEAD, _SECRETS):
            path = self._path(group, plural)
            for item in await self._items(path, _SELECTOR):
                await self.api.delete(f"{path}/{item['metadata']['name']}")
                removed += 1
        return removed

    async def _start(self, name: str) -> None:
        labels = {"ray-node-type": "head", "anyscale.com/cluster": name}
        pod = self._object("v1", "Pod", name, labels)
        pod["metadata"]["annotations"] = {
            "anyscale.com/ray-node-type": "head",
            "anyscale.com/market-type": "ON_DEMAND",
        }
        pod["spec"] = {"containers": [{"name": "ray", "image": _RAY_IMAGE}]}
        service = self._object("v1", "Service", name)
        service["spec"] = {
            "selector": {"anyscale.com/cluster": name},
            "ports": [{"name": "http", "port": 80, "targetPort": 80}],
        }
        await self._create(self._path("/api/v1", "pods"), pod)
        await self._create(self._path("/api/v1", "services"), service)
        if self.config.gateway is not None:
            await self._create(self._path(*_ROUTES), self._route(name))
        else:
            await self._create(self._path(*_INGRESSES), self._ingress(name))

    async def _end(self, name: str) -> None:
        for group, plural in (*self._ways_in, *_OF_A_HEAD):
            await self.api.delete(f"{self._path(group, plural)}/{name}")

    @property
    def _ways_in(self) -> tuple[tuple[str, str], ...]:
        """How users reach a head; its role says nothing of routes where there is no Gateway."""
        return (_ROUTES, _INGRESSES) if self.config.gateway is not None else (_INGRESSES,)

    async def _create(self, path: str, manifest: Object) -> None:
        """Made already is success."""
        try:
            await self.api.request("POST", path, manifest)
        except ApiFailure as failure:
            if failure.status != 409:
                raise

    async def _items(self, path: str, selector: str) -> list[Object]:
        """Objects by label; none where the API has no such kind."""
        found = await self.api.find(f"{path}?{urlencode({'labelSelector': selector})}")
        return list(found["items"]) if found else []

    def _route(self, name: str) -> Object:
        gateway = self.config.gateway
        parent = {"name": gateway.name, "namespace": gateway.namespace} if gateway else {}
        route = self._object(_GATEWAY, "HTTPRoute", name)
        route["spec"] = {
            "parentRefs": [parent],
            "rules": [{"backendRefs": [{"name": name, "port": 80}]}],
        }
        return route

    def _ingress(self, name: str) -> Object:
        ingress = self._object(_NETWORKING, "Ingress", name)
        ingress["metadata"]["annotations"] = {
            # What Anyscale's Ingresses cannot do without, and a snippet is part of it.
            "nginx.ingress.kubernetes.io/configuration-snippet": "more_set_headers 'X-Ray: head';",
            "anyscale.com/ingress-address": self.config.ingress_address,
        }
        service = {"name": name, "port": {"number": 80}}
        path = {"path": "/", "pathType": "Prefix", "backend": {"service": service}}
        ingress["spec"] = {
            "ingressClassName": self.config.ingress_class,
            "rules": [{"http": {"paths": [path]}}],
        }
        return ingress

    def _object(
        self, version: str, kind: str, name: str, labels: dict[str, str] | None = None
    ) -> Object:
        return {
            "apiVersion": version,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {_LABEL: CREATED_BY, **(labels or {})},
            },
        }

    def _path(self, group: str, plural: str) -> str:
        return f"{group}/namespaces/{self.namespace}/{plural}"
