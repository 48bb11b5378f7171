"""How requests leave this machine: TLS trust, proxies, time limits, interruption.

Proxies are httpx's own business (`HTTPS_PROXY`, `NO_PROXY`; user and password in
a proxy's URL become basic authentication). Certificate bundles are ours, because
the vendor's client accepts more variables than httpx does.
"""

from __future__ import annotations

import queue
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx

from anyscale_k8s_cli import errors
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

    def with_read(self, read: float | None) -> httpx.Timeout:
        return httpx.Timeout(self.read if read is None else read, connect=self.connect)


def trust(environ: Mapping[str, str]) -> ssl.SSLContext:
    """The certificate authorities to believe: a bundle the user named, else the usual ones.

    Raises `usage` when the bundle cannot be used; a folder is refused because
    only some of the programs that read these variables would accept it.
    """
    variable = next((name for name in CA_VARIABLES if environ.get(name)), None)
    if variable is None:
        return _usual()
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


@cache
def _usual() -> ssl.SSLContext:
    """Read once: there are many."""
    return httpx.create_ssl_context(trust_env=False)


def open_client(context: ssl.SSLContext, limits: Limits) -> httpx.Client:
    """A client that follows no redirect: a token must not travel to another host.

    Raises `usage` for a proxy that is none.
    """
    try:
        return httpx.Client(verify=context, timeout=limits.with_read(None), follow_redirects=False)
    except (httpx.InvalidURL, ValueError) as problem:
        # The value is not shown: it may hold a password.
        raise errors.CliError(
            errors.USAGE,
            "One of HTTP_PROXY, HTTPS_PROXY and ALL_PROXY is not the address of a proxy",
            cause=str(problem),
            fix="export HTTPS_PROXY=http://HOST:PORT, or unset it",
        ) from problem


Answer = httpx.Response | httpx.HTTPError | RuntimeError


def exchange(
    http: httpx.Client,
    request: httpx.Request,
    run: Run,
    *,
    service: str,
    call: str,
    grace: float,
) -> httpx.Response:
    """Send one request and tell the listeners; `call` names it without any secret.

    Blocking reads cannot be interrupted, so the request runs in a thread of its
    own that an interruption or the command's time limit leaves behind after
    `grace` seconds. Raises what httpx raises, RuntimeError once the client is closed.
    """
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()

    def send() -> None:
        try:
            answers.put(http.send(request))
        # The second when the command has ended meanwhile: nobody must wait for this thread.
        except (httpx.HTTPError, RuntimeError) as failure:
            answers.put(failure)

    started = time.monotonic()
    threading.Thread(target=send, name="control-plane-call", daemon=True).start()
    answer = _await_answer(answers, run, grace)
    if isinstance(answer, RuntimeError):
        raise answer
    status = str(answer.status_code) if isinstance(answer, httpx.Response) else kind_of(answer)
    run.emit(
        CallMade(
            service=service,
            call=call,
            status=status,
            seconds=round(time.monotonic() - started, 3),
        )
    )
    if isinstance(answer, httpx.HTTPError):
        raise answer
    return answer


def kind_of(failure: httpx.HTTPError) -> str:
    """A connection failure in words, for events and evidence."""
    if isinstance(failure, httpx.ProxyError):
        return "the proxy refused"
    if isinstance(failure, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(failure, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(failure, httpx.ConnectError):
        untrusted = "CERTIFICATE_VERIFY_FAILED" in str(failure)
        return UNTRUSTED if untrusted else "no connection"
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
