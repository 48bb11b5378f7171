"""What CoreWeave's answers mean, in our words.

Errors are `google.rpc.Status`: a number, a text and details.
https://grpc.io/docs/guides/status-codes/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.coreweave import codes

ABSENT = "NOT_FOUND"
DENIED = "PERMISSION_DENIED"
UNAUTHENTICATED = "UNAUTHENTICATED"
THROTTLED = "RESOURCE_EXHAUSTED"
UNAVAILABLE = "UNAVAILABLE"
_WORDS = {
    3: "INVALID_ARGUMENT",
    5: ABSENT,
    6: "ALREADY_EXISTS",
    7: DENIED,
    8: THROTTLED,
    9: "FAILED_PRECONDITION",
    13: "INTERNAL",
    14: UNAVAILABLE,
    16: UNAUTHENTICATED,
}
# For answers of something before the API, which have no Status in them.
_BY_HTTP = {401: UNAUTHENTICATED, 403: DENIED, 404: ABSENT, 429: THROTTLED, 503: UNAVAILABLE}
_AGAIN = "run the same command again to go on"


def of_answer(status: int, body: object, what: str) -> CloudFailure:
    """The failure that an error answer stands for; `body` is its JSON, if it was that."""
    said: Mapping[str, Any] = body if isinstance(body, dict) else {}
    code = _WORDS.get(said.get("code", 0)) or _BY_HTTP.get(status) or f"HTTP_{status}"
    text = str(said.get("message") or "")

    def failure(kind: errors.ErrorCode, message: str, fix: str) -> CloudFailure:
        return CloudFailure(
            kind,
            message,
            text or code,
            (f"{what} answered {status} {code}",),
            fix,
            api_code=code,
            status=status,
            denied=code == DENIED,
        )

    if code == UNAUTHENTICATED:
        return failure(
            errors.CLOUD_CREDENTIALS_REJECTED,
            "CoreWeave does not accept the API token",
            "create another in CoreWeave's console and set COREWEAVE_API_TOKEN to it",
        )
    if code == DENIED:
        return failure(
            errors.FORBIDDEN,
            f"Your CoreWeave account may not {what}",
            "have the role given to you that allows it; "
            "`anyscale cloud permissions --provider coreweave` prints which",
        )
    if code == THROTTLED:
        return failure(
            codes.COREWEAVE_THROTTLED, f"CoreWeave takes no more calls of {what} for now", _AGAIN
        )
    return failure(codes.COREWEAVE_FAILED, f"{what} failed", _AGAIN)


def unreachable(text: str, what: str) -> CloudFailure:
    return CloudFailure(
        codes.COREWEAVE_UNREACHABLE,
        f"CoreWeave ({what}) cannot be reached from here",
        text,
        fix="check the network, HTTPS_PROXY and COREWEAVE_API_ENDPOINT",
        api_code=UNAVAILABLE,
    )
