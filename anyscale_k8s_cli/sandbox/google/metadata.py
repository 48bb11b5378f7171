"""The metadata server that pods of a cluster see.

https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity. On nodes
with GKE's metadata server a pod is its Kubernetes service account, or the Google
account that this is annotated with; on others it is the nodes' account, whoever it
is. In life the server knows a pod by its address; here, by a token of the pod's own
for the API server.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from anyscale_k8s_cli.sandbox.google.nodes import METADATA_LABEL
from anyscale_k8s_cli.sandbox.google.seed import GkeClusterSeed
from anyscale_k8s_cli.sandbox.google.standin import GoogleStandIn
from anyscale_k8s_cli.sandbox.google.sts import ACCESS_TOKEN, EXCHANGE, JWT
from anyscale_k8s_cli.sandbox.google.tokens import CLOUD_PLATFORM, EMAIL_SCOPE

ANNOTATION = "iam.gke.io/gcp-service-account"
_FLAVOR = {"Metadata-Flavor": "Google"}
_DEFAULT = "/computeMetadata/v1/instance/service-accounts/default"
_POD_NAME = "authentication.kubernetes.io/pod-name"
_HOST = "127.0.0.1"
_SHUTDOWN = 0.2
_SECONDS = 3600


class _Refused(Exception):
    """What the server says instead of a token, with its status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class _Pod:
    namespace: str
    name: str
    account: str
    google_account: str
    on_gke_metadata: bool


class MetadataServer:
    """Serves the pods of one cluster. `token` opens the cluster's API to it."""

    def __init__(self, google: GoogleStandIn, cluster: GkeClusterSeed, token: str) -> None:
        self._google = google
        self._cluster = cluster
        self._token = token
        self._api_url = ""
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None
        self.host = ""

    async def start(self, api_url: str, ca_pem: bytes) -> None:
        """Listen; `host` (with its port) is set then."""
        self._api_url = api_url
        trusted = ssl.create_default_context(cadata=ca_pem.decode())
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted))
        application = web.Application()
        application.add_routes(
            [
                web.get("/computeMetadata/v1/project/project-id", self._project),
                web.get(f"{_DEFAULT}/email", self._email),
                web.get(f"{_DEFAULT}/token", self._access_token),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, 0).start()
        self.host = f"{_HOST}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Safe to repeat."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _project(self, _: web.Request) -> web.Response:
        return web.Response(text=self._google.project.id, headers=_FLAVOR)

    async def _email(self, request: web.Request) -> web.Response:
        try:
            pod = await self._pod(request)
        except _Refused as refused:
            return web.Response(text=str(refused), status=refused.status)
        if not pod.on_gke_metadata:
            email, _ = self._google.node_token()
        else:
            email = pod.google_account or self._cluster.workload_pool
        return web.Response(text=email, headers=_FLAVOR)

    async def _access_token(self, request: web.Request) -> web.Response:
        try:
            pod = await self._pod(request)
            token = await self._token_for(pod)
        except _Refused as refused:
            return web.Response(text=str(refused), status=refused.status)
        body = {"access_token": token, "expires_in": _SECONDS - 1, "token_type": "Bearer"}
        return web.json_response(body, headers=_FLAVOR)

    async def _token_for(self, pod: _Pod) -> str:
        if not pod.on_gke_metadata:
            return self._google.node_token()[1]
        federated = await self._federated(pod)
        if not pod.google_account:
            return federated
        url = (
            f"{self._google.endpoint('iamcredentials')}/v1/projects/-/serviceAccounts/"
            f"{pod.google_account}:generateAccessToken"
        )
        body = {"scope": [CLOUD_PLATFORM, EMAIL_SCOPE], "lifetime": f"{_SECONDS}s"}
        status, answer = await self._post(url, federated, json=body)
        if status == 200:
            return str(answer["accessToken"])
        said = answer["error"]["message"]
        raise _Refused(
            status,
            f"Unable to generate access token; IAM returned {status}: {said}\nThis error could be "
            "caused by a missing IAM policy binding on the target IAM service account.",
        )

    async def _federated(self, pod: _Pod) -> str:
        """A token of the pod's Kubernetes account, exchanged for one of Google's."""
        path = f"/api/v1/namespaces/{pod.namespace}/serviceaccounts/{pod.account}/token"
        pool = self._cluster.workload_pool
        bound = {"kind": "Pod", "apiVersion": "v1", "name": pod.name}
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [pool], "boundObjectRef": bound, "expirationSeconds": _SECONDS},
        }
        given = await self._kubernetes("POST", path, asked)
        form = {
            "grant_type": EXCHANGE,
            "requested_token_type": ACCESS_TOKEN,
            "subject_token_type": JWT,
            "subject_token": given["status"]["token"],
            "audience": f"identitynamespace:{pool}:{self._cluster.issuer}",
            "scope": CLOUD_PLATFORM,
        }
        url = f"{self._google.endpoint('sts')}/v1/token"
        status, answer = await self._post(url, "", data=form)
        if status != 200:
            said = answer.get("error_description") or answer["error"]["message"]
            raise _Refused(status, f"Unable to exchange the token of the pod: {said}")
        return str(answer["access_token"])

    async def _pod(self, request: web.Request) -> _Pod:
        """Who asks. Raises :class:`_Refused`."""
        if request.headers.get("Metadata-Flavor") != "Google":
            raise _Refused(403, "Missing required header 'Metadata-Flavor': 'Google'")
        own = request.headers.get("Authorization", "").removeprefix("Bearer ")
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": own},
        }
        path = "/apis/authentication.k8s.io/v1/tokenreviews"
        user = (await self._kubernetes("POST", path, review))["status"].get("user") or {}
        names = (user.get("extra") or {}).get(_POD_NAME)
        parts = str(user.get("username", "")).split(":")
        if not names or len(parts) != 4:
            raise _Refused(404, "The sandbox's metadata server knows pods by their tokens.")
        namespace, account = parts[2], parts[3]
        base = f"/api/v1/namespaces/{namespace}"
        pod = await self._kubernetes("GET", f"{base}/pods/{names[0]}")
        node = await self._kubernetes("GET", f"/api/v1/nodes/{pod['spec']['nodeName']}")
        found = await self._kubernetes("GET", f"{base}/serviceaccounts/{account}")
        annotations = found["metadata"].get("annotations") or {}
        return _Pod(
            namespace,
            names[0],
            account,
            annotations.get(ANNOTATION, ""),
            METADATA_LABEL in (node["metadata"].get("labels") or {}),
        )

    async def _kubernetes(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.request(
            method, self._api_url + path, json=body, headers=headers
        ) as answer:
            content = await answer.json()
        if answer.status >= 400:
            raise _Refused(503, f"The cluster does not tell who asks: {content.get('message')}")
        return content

    async def _post(self, url: str, token: str, **request: Any) -> tuple[int, Mapping[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with self._session.post(url, headers=headers, **request) as answer:
                return answer.status, await answer.json()
        except aiohttp.ClientError as failure:
            raise _Refused(503, f"No answer from Google: {failure}") from failure

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("the metadata server is not started")
        return self._http
