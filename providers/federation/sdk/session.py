"""Calls to issuers and token services: their limits, their retries, and a report of each."""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from anyscale_k8s_cli import tool_version
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.federation import codes
from anyscale_k8s_cli.run import Run

Json = dict[str, Any]

_LIMITS = httpx.Timeout(connect=5.0, read=20.0, write=10.0, pool=10.0)
_BUSY = (429, 500, 502, 503, 504)
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Answer:
    """What was answered: the status, and the body as JSON; empty where it is none."""

    status: int
    body: Json

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Session:
    """Safe for threads. No call carries a credential of this machine.

    Who does not answer is asked again for `patience` seconds.
    """

    def __init__(self, run: Run, patience: float = 10.0) -> None:
        self._run = run
        self._patience = patience

    def get(self, what: str, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self._ask(what, "GET", url, b"", headers or {})

    def post_form(self, what: str, url: str, form: Mapping[str, str]) -> Answer:
        return self._ask(what, "POST", url, urlencode(form).encode(), {"Content-Type": _FORM})

    def post(self, what: str, url: str, body: Json, bearer: str) -> Answer:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {bearer}"}
        return self._ask(what, "POST", url, json.dumps(body).encode(), headers)

    def _ask(
        self, what: str, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """The answer, whatever it says. Raises `federation-unreachable` when there is none."""
        return self._run.retry(
            lambda: self._call(what, method, url, body, headers),
            retriable=lambda problem: isinstance(problem, CloudFailure),
            what=f"an answer of {urlsplit(url).netloc}",
            timeout=self._patience,
        )

    def _call(
        self, what: str, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        self._run.check()
        host, started, status = urlsplit(url).netloc, time.monotonic(), ""
        agent = {"User-Agent": f"anyscale-k8s-cli/{tool_version()}", "Accept": "application/json"}
        try:
            # No redirect is followed: a token must not travel to another host.
            with httpx.Client(verify=trust(), timeout=_LIMITS, follow_redirects=False) as client:
                found = client.request(
                    method, url, content=body or None, headers={**agent, **headers}
                )
            status = str(found.status_code)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            status = type(problem).__name__
            raise _unreachable(host, str(problem) or status) from problem
        finally:
            seconds = time.monotonic() - started
            self._run.emit(CallMade(service=host, call=what, status=status, seconds=seconds))
        if found.status_code in _BUSY:
            raise _unreachable(host, f"it answers {found.status_code}")
        return Answer(found.status_code, _json(found.content))


def trust() -> ssl.SSLContext:
    """The authorities that httpx believes. It would read all of them again for each client."""
    return _read(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _read(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _unreachable(host: str, cause: str) -> CloudFailure:
    return CloudFailure(
        codes.FEDERATION_UNREACHABLE,
        f"{host} cannot be reached from here",
        cause,
        fix="check the network and HTTPS_PROXY, then run the same command again",
    )


def _json(content: bytes) -> Json:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
