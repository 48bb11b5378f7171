"""One HTTP call: through the proxy that the environment names, no redirect followed.

A no is an exception as well as silence; both say who it was and in which words.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

SECONDS = 15.0
_ATTEMPTS = 3
_LONGEST = 400
_BUSY = (429, 500, 502, 503, 504)
_XML = re.compile(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Refused(Exception):
    """The far end said no. `code` is its own word for why, empty where it has none."""

    def __init__(self, at: str, status: int, code: str, said: str) -> None:
        super().__init__(said)
        self.at, self.status, self.code, self.said = at, status, code, said

    @property
    def denied(self) -> bool:
        """Whether it was for want of a right."""
        return self.status in (401, 403) or "AccessDenied" in self.code


class Unanswered(Exception):
    """Nobody answered. `stage` is how far it got: dns, connect, proxy, tls or answer."""

    def __init__(self, at: str, stage: str, said: str) -> None:
        super().__init__(said)
        self.at, self.stage, self.said = at, stage, said


class NoCredentials(Exception):
    """The pod was given none, or none that can be read."""


class Unlike(Exception):
    """The answer was none of those that can be: another content, or not what was asked for."""


T = TypeVar("T")

ANSWERS_NOT = (Refused, Unanswered, NoCredentials, Unlike)


def described(problem: Exception) -> dict[str, Any]:
    """What the report says of one of them."""
    if isinstance(problem, Refused):
        return {
            "ok": False,
            "kind": "refused",
            "at": problem.at,
            "status": problem.status,
            "code": problem.code,
            "said": problem.said,
        }
    if isinstance(problem, Unanswered):
        return {
            "ok": False,
            "kind": "unanswered",
            "at": problem.at,
            "stage": problem.stage,
            "said": problem.said,
        }
    kind = "no-credentials" if isinstance(problem, NoCredentials) else "unlike"
    return {"ok": False, "kind": kind, "said": str(problem)}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A store that sends elsewhere tells of a wrong region: that is the answer."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def send(
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    *,
    young: bool = False,
) -> Answer:
    """Raises :class:`Refused` and :class:`Unanswered`. Who is busy is asked again, as SDKs do.

    `young` is said of who begins to listen no sooner than the pod begins to run.
    """
    for attempt in range(1, _ATTEMPTS):
        try:
            return _send(method, url, headers or {}, body)
        except Refused as busy:
            if busy.status not in _BUSY:
                raise
        except Unanswered as silent:
            if silent.stage != "answer" and not young:
                raise
        time.sleep(attempt)
    return _send(method, url, headers or {}, body)


def let_in(call: Callable[[], T], until: float) -> T:
    """The answer; who is denied is asked again `until` a monotonic time.

    What was granted just now is not known everywhere at once.
    """
    while True:
        try:
            return call()
        except Refused as refused:
            if not refused.denied or time.monotonic() >= until:
                raise
        time.sleep(1)


def _send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    at = origin(url)
    # The addresses are the tool's own and those of the pod's environment: nobody else's.
    request = urllib.request.Request(  # noqa: S310
        url, data=body, headers=dict(headers), method=method
    )
    try:
        with _opener.open(request, timeout=SECONDS) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            raise _refused(at, refused) from None
    except urllib.error.URLError as problem:
        reason = problem.reason
        raise unanswered(at, reason if isinstance(reason, OSError) else OSError(reason)) from None
    except (OSError, http.client.HTTPException) as problem:
        raise Unanswered(at, "answer", _words(problem)) from None


def origin(url: str) -> str:
    """`https://host:port`: what may be told of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def unanswered(at: str, problem: OSError) -> Unanswered:
    """How far a connection got that did not come about."""
    if isinstance(problem, socket.gaierror):
        stage = "dns"
    elif isinstance(problem, ssl.SSLError):
        stage = "tls"
    elif "Tunnel connection failed" in str(problem):
        stage = "proxy"
    else:
        stage = "connect"
    return Unanswered(at, stage, _words(problem))


def _words(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {problem.verify_message}"
    if isinstance(problem, socket.timeout):
        return f"no answer within {SECONDS:.0f} s"
    said = problem.strerror if isinstance(problem, OSError) else ""
    return (said or str(problem) or type(problem).__name__)[:_LONGEST]


def _refused(at: str, answer: urllib.error.HTTPError) -> Refused:
    text = answer.read().decode("utf-8", "replace")
    code, said = error_in(text)
    if "x-amz-bucket-region" in answer.headers and answer.code in (301, 307, 400):
        said += f" (the bucket is in {answer.headers['x-amz-bucket-region']})"
    code = code or str(answer.headers.get("x-ms-error-code") or "")
    return Refused(at, answer.code, code, (said or f"HTTP {answer.code}")[:_LONGEST])


def error_in(text: str) -> tuple[str, str]:
    """Code and message of an error, in XML, in JSON or in plain words."""
    found = _XML.search(text)
    if found:
        return found[1].strip(), " ".join(found[2].split())
    try:
        body = json.loads(text)
    except ValueError:
        return "", " ".join(text.split())
    error = body.get("error", body) if isinstance(body, dict) else {}
    if isinstance(error, str):
        # OAuth: `error` is the code, its description the message.
        return error, " ".join(str(body.get("error_description", "")).split())
    if not isinstance(error, dict):
        return "", ""
    first: dict[str, Any] = next(iter(error.get("errors") or ()), {})
    words = (error.get("status"), first.get("reason"), *map(error.get, ("code", "Code", "__type")))
    code = next((word for word in words if word), "")
    return str(code), str(error.get("message") or error.get("Message") or "")
