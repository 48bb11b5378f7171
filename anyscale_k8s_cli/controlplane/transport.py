"""How requests leave this machine: TLS trust, time limits, interruption.

Certificate bundles are named by the variables that the vendor's client accepts.
"""

from __future__ import annotations

import queue
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import certifi
import urllib3
from urllib3 import exceptions
from urllib3.exceptions import HTTPError

from anyscale_k8s_cli import connections, errors
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.run import Run

# The first one that is set wins; the order is the vendor's client's.
CA_VARIABLES = (
    "ANYSCALE_SSL_CA_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
)

_GLANCE = 0.1

UNTRUSTED = "certificate not trusted"


@dataclass(frozen=True)
class Limits:
    """Seconds: for one attempt of one call, and `backoff` before the first repetition.

    A call that is under way may take `grace` after an interruption, so that the
    outcome of a write is known more often than not.
    """

    connect: float = 10.0
    read: float = 60.0
    backoff: float = 1.0
    grace: float = 5.0

    def with_read(self, read: float | None) -> urllib3.Timeout:
        return urllib3.Timeout(connect=self.connect, read=self.read if read is None else read)


def trust(environ: Mapping[str, str]) -> ssl.SSLContext:
    """The certificate authorities to believe: a bundle the user named, else the usual ones.

    Raises `usage` when the bundle cannot be used; a folder is refused because
    only some of the programs that read these variables would accept it.
    """
    variable = next((name for name in CA_VARIABLES if environ.get(name)), None)
    if variable is None:
        return ssl.create_default_context(cafile=certifi.where())
    bundle = Path(environ[variable])
    if bundle.is_dir():
        raise _unusable(variable, bundle, "it is a folder; a single file of PEM blocks is needed")
    try:
        return ssl.create_default_context(cafile=str(bundle))
    except FileNotFoundError:
        raise _unusable(variable, bundle, "the file does not exist") from None
    except (ssl.SSLError, OSError) as broken:
        reason = f"no certificates can be read from it ({broken.strerror or broken})"
        raise _unusable(variable, bundle, reason) from broken


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str]
    timeout: urllib3.Timeout
    body: bytes | None = field(default=None, repr=False)


class Client:
    """Connections that follow no redirect: a token must not travel to another host.

    Safe for threads. Raises `usage` for a proxy that is none.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._pools: dict[str | None, urllib3.PoolManager] = {}
        self._closed = False
        for proxy in connections.proxies():
            self._pool(proxy)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, request: Request) -> urllib3.BaseHTTPResponse:
        """The whole answer. Raises urllib3's HTTPError, RuntimeError once it is closed."""
        return self._pool(connections.proxy_for(request.url)).request(
            request.method,
            request.url,
            body=request.body,
            headers={"Accept-Encoding": "gzip, deflate", **request.headers},
            timeout=request.timeout,
            retries=False,
            redirect=False,
        )

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for pool in self._pools.values():
                pool.clear()

    def _pool(self, proxy: str | None) -> urllib3.PoolManager:
        with self._lock:
            if self._closed:
                raise RuntimeError("the client is closed")
            if proxy not in self._pools:
                self._pools[proxy] = connections.pool(proxy, ssl_context=self._context)
            return self._pools[proxy]


Answer = urllib3.BaseHTTPResponse | HTTPError | RuntimeError


def exchange(
    http: Client,
    request: Request,
    run: Run,
    *,
    service: str,
    call: str,
    grace: float,
) -> urllib3.BaseHTTPResponse:
    """Send one request and tell the listeners; `call` names it without any secret.

    Blocking reads cannot be interrupted, so the request runs in a thread of its
    own that an interruption or the command's time limit leaves behind after
    `grace` seconds. Raises what `Client.send` raises.
    """
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()

    def send() -> None:
        try:
            answers.put(http.send(request))
        # The second when the command has ended meanwhile: nobody must wait for this thread.
        except (HTTPError, RuntimeError) as failure:
            answers.put(failure)

    started = time.monotonic()
    threading.Thread(target=send, name="control-plane-call", daemon=True).start()
    answer = _await_answer(answers, run, grace)
    if isinstance(answer, RuntimeError):
        raise answer
    status = kind_of(answer) if isinstance(answer, HTTPError) else str(answer.status)
    run.emit(
        CallMade(
            service=service,
            call=call,
            status=status,
            seconds=round(time.monotonic() - started, 3),
        )
    )
    if isinstance(answer, HTTPError):
        raise answer
    return answer


def succeeded(answer: urllib3.BaseHTTPResponse) -> bool:
    return 200 <= answer.status < 300


def kind_of(failure: HTTPError) -> str:
    """A connection failure in words, for events and evidence."""
    if isinstance(failure, exceptions.ProxyError):
        return "the proxy refused"
    if isinstance(failure, exceptions.NewConnectionError):
        return "no connection"
    if isinstance(failure, exceptions.ConnectTimeoutError):
        return "no connection in time"
    if isinstance(failure, exceptions.TimeoutError):
        return "no answer in time"
    if isinstance(failure, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(failure):
        return UNTRUSTED
    return "connection broken"


def _await_answer(answers: queue.SimpleQueue[Answer], run: Run, grace: float) -> Answer:
    give_up: float | None = None
    while True:
        try:
            return answers.get(timeout=_GLANCE)
        except queue.Empty:
            pass
        remaining = run.remaining()
        if give_up is None and (run.stopped or (remaining is not None and remaining <= 0)):
            give_up = time.monotonic() + grace
        if give_up is not None and time.monotonic() >= give_up:
            run.check()


def _unusable(variable: str, bundle: Path, reason: str) -> errors.CliError:
    return errors.CliError(
        errors.USAGE,
        f"{variable} does not name a usable certificate bundle",
        cause=f"{bundle}: {reason}",
        fix=f"point {variable} at a PEM file that holds your proxy's certificate authority",
    )
