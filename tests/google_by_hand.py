"""What somebody does by hand in a Google project and its cluster, with the APIs alone."""

from __future__ import annotations

import base64
import gzip
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2 import service_account

_SCOPES = [
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
]
OPERATORS_RELEASE = {"labelSelector": "owner=helm,name=anyscale-operator,status=deployed"}


@dataclass(frozen=True)
class GoogleByHand:
    """Somebody with the variables of a sandbox."""

    environment: Mapping[str, str] = field(repr=False)

    def call(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """A call that must succeed; returns the answer."""
        answer = self.try_to(service, method, path, body)
        assert answer is not None, f"{method} {path} was refused"
        return answer

    def try_to(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """The answer, or None when it is refused."""
        base = self.environment[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}"]
        with AuthorizedSession(self._credentials) as session:
            answer = session.request(method, base.rstrip("/") + path, json=body)
        return answer.json() if answer.ok else None

    def operator_values(self, namespace: str = "anyscale-operator") -> dict[str, Any]:
        """What the operator's chart was given, as helm's record of the release has it."""
        path = f"/api/v1/namespaces/{namespace}/secrets"
        answer = self._kubernetes.get(path, params=OPERATORS_RELEASE).raise_for_status()
        [record] = answer.json()["items"]
        packed = base64.b64decode(base64.b64decode(record["data"]["release"]))
        return dict(json.loads(gzip.decompress(packed))["config"])

    @cached_property
    def _credentials(self) -> service_account.Credentials:
        return service_account.Credentials.from_service_account_file(
            self.environment["GOOGLE_APPLICATION_CREDENTIALS"], scopes=_SCOPES
        )

    @cached_property
    def _kubernetes(self) -> httpx.Client:
        """The API of the cluster `demo`."""
        path = "/v1/projects/demo/locations/us-central1/clusters/demo"
        cluster = self.call("container", "GET", path)
        ca = base64.b64decode(cluster["masterAuth"]["clusterCaCertificate"]).decode()
        self._credentials.refresh(Request())
        return httpx.Client(
            base_url=f"https://{cluster['endpoint']}",
            headers={"Authorization": f"Bearer {self._credentials.token}"},
            verify=ssl.create_default_context(cadata=ca),
            trust_env=False,
        )
