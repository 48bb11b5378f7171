"""One request to a Kubernetes API server: TLS, proxy, credentials, retries, errors in words.

Bodies and answers are plain JSON documents. The `kubernetes` package would take
half a second of each command to import, for a connection pool.
"""

from __future__ import annotations

import json
import re
import ssl
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import urllib3

from anyscale_k8s_cli import errors, tool_version
from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.cluster.admission import denial_in, way_on
from anyscale_k8s_cli.cluster.forbidden import is_of_rights, way_in
from anyscale_k8s_cli.cluster.proxies import proxy_for
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.run import Run

# Several addresses may stand behind a name, and each is tried for this long:
# three of them (as EKS gives) still answer "unreachable" within 15 s.
CONNECT_SECONDS = 4.0
READ_SECONDS = 8.0
# The API server gives an admission webhook up to 30 s.
WRITE_SECONDS = 35.0
RETRY_SECONDS = 20.0
RENEW_BEFORE = timedelta(seconds=60)

_NAMESPACE = re.compile(r"/namespaces/([^/]+)")
# https://kubernetes.io/docs/reference/using-api/api-concepts/: overload and
# restarts of an API server. A 500 is repeated for reads alone.
RETRIED_STATUSES = frozenset({429, 503, 504})


@dataclass(eq=False)
class KubernetesError(errors.CliError):
    """The API server's refusal. `status` is 0 when it did not answer; `reason` is its own word."""

    status: int = 0
    reason: str = ""
    # Whether a connection was there at all: else there is no hope in asking again.
    connected: bool = field(default=True, repr=False)

    @property
    def transient(self) -> bool:
        """Whether the same question may get an answer a little later."""
        return self.status == 0 or self.status in RETRIED_STATUSES or self.status == 500


@dataclass(frozen=True)
class Request:
    """`path` is absolute with its segments quoted; `query` holds no secrets."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"
    repeatable: bool = True

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


class Transport:
    """Sends requests with the credentials of one cluster's access. Safe for threads."""

    def __init__(self, access: ClusterAccess, run: Run) -> None:
        self.access = access
        self._run = run
        self._pool = _pool(access)
        self._lock = threading.Lock()
        self._token: BearerToken | None = None
        self._answered = False
        self._agent = f"anyscale-k8s-cli/{tool_version()}"

    def send(self, request: Request) -> bytes:
        """The body of a 2xx answer; repeats what is transient for a while.

        Raises `KubernetesError` with one of the codes `cluster-unreachable`,
        `cluster-unauthenticated`, `cluster-forbidden`, `cluster-failed`.
        """
        with self._run.asking(f"the cluster at {self.access.endpoint}"):
            return self._run.retry(
                lambda: self._attempt(request),
                retriable=lambda problem: self._worth_repeating(problem, request),
                what=f"the cluster's answer to {request.method} {request.path}",
                timeout=RETRY_SECONDS,
            )

    def stream(self, request: Request, *, idle_seconds: float) -> urllib3.BaseHTTPResponse:
        """The open answer to a watch; the caller closes it. Not repeated."""
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=idle_seconds)
        return self._authenticated(request, timeout, preload=False)

    def _attempt(self, request: Request) -> bytes:
        read = READ_SECONDS if request.method == "GET" else WRITE_SECONDS
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=read)
        return bytes(self._authenticated(request, timeout, preload=True).data)

    def _worth_repeating(self, problem: BaseException, request: Request) -> bool:
        if not isinstance(problem, KubernetesError) or not problem.transient:
            return False
        if problem.status == 0:
            # Never reached: said at once. Reached a moment ago: asked again.
            return self._answered and (request.repeatable or not problem.connected)
        if problem.status == 500:
            return request.method == "GET"
        return True

    def _authenticated(
        self, request: Request, timeout: urllib3.Timeout, *, preload: bool
    ) -> urllib3.BaseHTTPResponse:
        response = self._exchange(request, timeout, preload=preload, renew=False)
        if response.status == 401 and self.access.token is not None:
            response.drain_conn()
            response = self._exchange(request, timeout, preload=preload, renew=True)
        self._answered = True
        if response.status >= 300:
            raise _refusal(response, request, self.access)
        return response

    def _exchange(
        self, request: Request, timeout: urllib3.Timeout, *, preload: bool, renew: bool
    ) -> urllib3.BaseHTTPResponse:
        headers = {
            "Accept": request.accept,
            "User-Agent": self._agent,
            **self._authorization(renew=renew),
        }
        body = None
        if request.body is not None:
            headers["Content-Type"] = request.content_type
            body = json.dumps(request.body).encode()
        started = time.monotonic()
        status = "no answer"
        try:
            response = self._pool.request(
                request.method,
                self.access.endpoint.rstrip("/") + request.target,
                body=body,
                headers=headers,
                timeout=timeout,
                preload_content=preload,
                retries=False,
                redirect=False,
            )
            status = str(response.status)
        except urllib3.exceptions.HTTPError as problem:
            raise _unreachable(problem, self.access) from problem
        finally:
            self._run.emit(
                CallMade(
                    service="kubernetes",
                    call=f"{request.method} {request.path}",
                    status=status,
                    seconds=round(time.monotonic() - started, 3),
                )
            )
        return response

    def _authorization(self, *, renew: bool) -> dict[str, str]:
        if self.access.token is None:
            return {}
        with self._lock:
            token = self._token
            if token is None or renew or ends_soon(token):
                token = self._token = self.access.token()
        return {"Authorization": f"Bearer {token.value}"}


def ends_soon(token: BearerToken) -> bool:
    """Whether a token must be renewed before it is used again."""
    return token.expires_at is not None and datetime.now(UTC) >= token.expires_at - RENEW_BEFORE


def tls_context(access: ClusterAccess) -> ssl.SSLContext:
    """Trust in the cluster's own authority alone, or in the system's when it names none."""
    context = ssl.create_default_context(cadata=access.ca_pem or None)
    # Authorities of many clusters lack the extensions that Python 3.13 began to
    # demand: https://github.com/kubernetes-client/python/issues/2394
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if access.client_certificate_pem:
        # OpenSSL reads a certificate chain from files only.
        with tempfile.TemporaryDirectory(prefix="anyscale-k8s-") as folder:
            certificate, key = Path(folder, "client.crt"), Path(folder, "client.key")
            certificate.write_text(access.client_certificate_pem, encoding="utf-8")
            key.touch(mode=0o600)
            key.write_text(access.client_key_pem, encoding="utf-8")
            context.load_cert_chain(certificate, key)
    return context


def _pool(access: ClusterAccess) -> urllib3.PoolManager:
    # More threads than pooled connections would make urllib3 warn on stderr.
    settings: dict[str, Any] = {"maxsize": 32, "ssl_context": tls_context(access)}
    if access.tls_server_name:
        settings |= {
            "server_hostname": access.tls_server_name,
            "assert_hostname": access.tls_server_name,
        }
    proxy = access.proxy_url or proxy_for(access.endpoint)
    if not proxy:
        return urllib3.PoolManager(**settings)
    if proxy.startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(proxy, **settings)
    login = urlsplit(proxy)
    headers = None
    if login.username:
        name_and_password = f"{unquote(login.username)}:{unquote(login.password or '')}"
        headers = urllib3.make_headers(proxy_basic_auth=name_and_password)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **settings)


def _unreachable(problem: urllib3.exceptions.HTTPError, access: ClusterAccess) -> KubernetesError:
    connected = not isinstance(
        problem, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
    )
    fix = f"check that this machine reaches {access.endpoint} (network, VPN, proxy variables)"
    if isinstance(problem, urllib3.exceptions.SSLError):
        cause = f"TLS: {problem}"
        fix = "check that nothing between here and the cluster answers in its place"
    elif isinstance(problem, urllib3.exceptions.NameResolutionError):
        cause = f"the name in {access.endpoint} does not resolve here"
    elif isinstance(problem, urllib3.exceptions.ConnectTimeoutError) and not isinstance(
        problem, urllib3.exceptions.NewConnectionError
    ):
        cause = "no connection in time; a private endpoint is reached from its own network only"
    elif isinstance(problem, urllib3.exceptions.ReadTimeoutError):
        cause = "connected, but no answer in time"
    elif isinstance(problem, urllib3.exceptions.ProxyError):
        cause = f"the proxy refused: {problem}"
    else:
        # urllib3 puts the connection object before its own words.
        cause = re.sub(r"^<[^>]*>: |^HTTPS?Connection\([^)]*\): ", "", str(problem))
    return KubernetesError(
        errors.CLUSTER_UNREACHABLE,
        f"The cluster at {access.endpoint} cannot be reached",
        cause=cause,
        fix=fix,
        connected=connected,
    )


def _refusal(
    response: urllib3.BaseHTTPResponse, request: Request, access: ClusterAccess
) -> KubernetesError:
    text = response.data.decode("utf-8", "replace")
    try:
        status = json.loads(text)
    except ValueError:
        status = {}
    if not isinstance(status, dict):
        status = {}
    message = str(status.get("message") or text[:300].strip() or f"status {response.status}")
    reason = str(status.get("reason") or "")
    if response.status == 401:
        return KubernetesError(
            errors.CLUSTER_UNAUTHENTICATED,
            "The cluster does not accept the credentials",
            cause=f"{access.principal or 'the principal used'} is not known to the cluster",
            evidence=(message,),
            fix=access.grant,
            status=401,
            reason=reason,
        )
    place = _NAMESPACE.search(request.path)
    denial = denial_in(message, place.group(1) if place else "")
    if denial is not None:
        return KubernetesError(
            errors.ADMISSION_DENIED,
            f"The cluster's rules forbid {request.method} {request.path}",
            cause=str(denial),
            evidence=(message,),
            fix=way_on(denial, access.kubectl),
            status=response.status,
            reason=reason,
        )
    if response.status == 403 and is_of_rights(message):
        return KubernetesError(
            errors.CLUSTER_FORBIDDEN,
            f"{access.principal or 'The principal used'} may not do this in the cluster",
            cause=message,
            fix=way_in(message, access.kubectl, access.grant_rights, access.platform),
            status=403,
            reason=reason,
        )
    return KubernetesError(
        errors.CLUSTER_FAILED,
        f"The cluster refused {request.method} {request.path}",
        cause=message,
        status=response.status,
        reason=reason,
    )
