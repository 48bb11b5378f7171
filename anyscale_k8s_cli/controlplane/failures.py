"""What a failed call means, in our own error codes.

Foreign errors end here: above this module nobody sees a status line or an
exception of httpx unless as evidence.
"""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane import transport
from anyscale_k8s_cli.controlplane.credentials import LOGIN_COMMAND, Credentials

TRACE_HEADER = "x-trace-id"

_SAME_AGAIN = "run the same command again"
# Status, or the first of a family of statuses: code, message, fix.
_MEANINGS: dict[int, tuple[errors.ErrorCode, str, str]] = {
    300: (
        errors.CONTROL_PLANE_FAILED,
        "{host} is not the address of a console's API",
        "set ANYSCALE_HOST to the address that your browser shows for the console",
    ),
    400: (errors.CONTROL_PLANE_FAILED, "{host} refused the request", ""),
    401: (
        errors.TOKEN_REJECTED,
        "{host} does not accept the token from {source}",
        LOGIN_COMMAND,
    ),
    403: (
        errors.FORBIDDEN,
        "{host} does not permit this to the owner of the token from {source}",
        "ask an owner of your Anyscale organisation for the right, or log in as one",
    ),
    404: (errors.NOT_FOUND, "{host} does not know this", ""),
    429: (
        errors.CONTROL_PLANE_FAILED,
        "{host} takes no more calls for now",
        f"wait a few minutes, then {_SAME_AGAIN}",
    ),
    500: (
        errors.CONTROL_PLANE_FAILED,
        "{host} failed",
        f"{_SAME_AGAIN}; if it stays so, give the trace id to Anyscale",
    ),
}


@dataclass(eq=False)
class ApiFailure(errors.CliError):
    """A call that failed.

    `status` as answered (0: no answer), `detail` the server's own words,
    `retry_after` the seconds it asked to wait.
    """

    status: int = 0
    detail: str = ""
    retry_after: float | None = None

    @property
    def outcome_unknown(self) -> bool:
        """Whether the work may have been done nevertheless."""
        return self.status == 0 or self.status >= 500


def outcome_unknown(failure: BaseException) -> bool:
    """Whether it is a failed call whose work may have been done nevertheless."""
    return isinstance(failure, ApiFailure) and failure.outcome_unknown


@dataclass(frozen=True)
class Failures:
    """Makes failures for one control plane and one token, which never appears in them."""

    credentials: Credentials

    def masked(self, text: str) -> str:
        token = self.credentials.token
        return text.replace(token, "***") if token else text

    def unreachable(self, call: str, failure: httpx.HTTPError) -> ApiFailure:
        """No answer came to `call`, a method and a path fit to be shown."""
        kind = transport.kind_of(failure)
        fix = f"check the network, HTTPS_PROXY and NO_PROXY, then {_SAME_AGAIN}"
        if kind == transport.UNTRUSTED:
            fix = f"export {transport.CA_VARIABLES[0]}=<PEM file of your certificate authority>"
        return ApiFailure(
            errors.CONTROL_PLANE_UNREACHABLE,
            f"No answer from {self.credentials.host}",
            cause=kind,
            evidence=(call, self.masked(str(failure))),
            fix=fix,
        )

    def refusal(self, call: str, response: httpx.Response) -> ApiFailure:
        """The answer to `call` says no, or that the server failed."""
        status = response.status_code
        detail = self.masked(_detail(response))
        trace = response.headers.get(TRACE_HEADER, "")
        evidence = [f"HTTP {status} on {call}"]
        if trace:
            evidence.append(f"{TRACE_HEADER}: {trace}")
        if response.is_redirect:
            evidence.append(f"redirected to {response.headers.get('location', '')}")
        code, message, fix = _MEANINGS.get(status) or _MEANINGS[min(status // 100 * 100, 500)]
        return ApiFailure(
            code,
            message.format(host=self.credentials.host, source=self.credentials.source),
            cause=detail or f"HTTP {status}",
            evidence=tuple(evidence),
            fix=self.credentials.renewal if code is errors.TOKEN_REJECTED else fix,
            details={"status": status, "trace_id": trace},
            status=status,
            detail=detail,
            retry_after=_retry_after(response.headers.get("retry-after", "")),
        )

    def strange(self, call: str, reason: str) -> ApiFailure:
        """The answer says yes but is not what was agreed."""
        return ApiFailure(
            errors.CONTROL_PLANE_FAILED,
            f"{self.credentials.host} answered something unexpected",
            cause=reason,
            evidence=(call,),
            fix="check ANYSCALE_HOST (a proxy's login page is a common reason), "
            "or look for a newer version of this tool",
            status=200,
        )


def _retry_after(value: str, clock: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait, from either of the header's two forms."""
    if value.strip().isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - clock())


def _detail(response: httpx.Response) -> str:
    """What the server says went wrong: `message`, else `detail`, which may be a list."""
    try:
        error = response.json()
    except ValueError:
        return ""
    if isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if not isinstance(error, dict):
        return ""
    detail = error.get("detail")
    if isinstance(detail, list):
        detail = "; ".join(_complaint(item) for item in detail)
    return str(error.get("message") or detail or "")


def _complaint(item: Any) -> str:
    """One line of a validator's list."""
    if not isinstance(item, dict):
        return json.dumps(item)
    place = ".".join(str(part) for part in item.get("loc", ()) if part != "body")
    return f"{place}: {item.get('msg', '')}" if place else str(item.get("msg", ""))
