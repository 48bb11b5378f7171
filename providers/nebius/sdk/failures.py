"""What Nebius' answers and the exceptions of its SDK mean, in our words."""

from __future__ import annotations

from dataclasses import dataclass

from nebius.aio.service_error import RequestError
from nebius.base.error import SDKError

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.nebius import codes

# https://grpc.io/docs/guides/status-codes/
ABSENT = "NOT_FOUND"
EXISTS = "ALREADY_EXISTS"
DENIED = "PERMISSION_DENIED"
INVALID = "INVALID_ARGUMENT"
UNAUTHENTICATED = "UNAUTHENTICATED"
THROTTLED = "RESOURCE_EXHAUSTED"
UNAVAILABLE = "UNAVAILABLE"
LATE = "DEADLINE_EXCEEDED"
STANDS_AGAINST = "FAILED_PRECONDITION"
# Something changed between its reading and its writing.
STALE = ("ABORTED",)
_QUOTA = "QuotaFailure"
_AGAIN = "run the same command again to go on"
# What gRPC says where there is no connection.
_NO_CONNECTION = ("failed to connect", "connection refused", "name resolution", "dns", "handshake")

# All that the SDK raises of itself; a wait that ends too late is Python's own error.
RAISED = (SDKError, TimeoutError, OSError, ValueError)


@dataclass(frozen=True)
class Asker:
    """On whose behalf a call was made, for the message."""

    principal: str = ""
    project: str = ""

    @property
    def name(self) -> str:
        return self.principal or "your Nebius account"


def word_for(problem: BaseException) -> str:
    """What a call ended with, in a word."""
    return api_code(problem) or type(problem).__name__


def api_code(problem: BaseException) -> str:
    """gRPC's word for an answer; empty when there was none."""
    if isinstance(problem, TimeoutError):
        return LATE
    return str(problem.status.code.name) if isinstance(problem, RequestError) else ""


def of_sdk(problem: BaseException, what: str, asker: Asker) -> CloudFailure:
    """The failure that one of `RAISED` stands for."""
    if isinstance(problem, RequestError):
        status = problem.status
        quota = any(error.code == _QUOTA for error in status.service_errors or ())
        trace = f"request {status.request_id}" if status.request_id else ""
        return of_answer(status.code.name, status.message or "", what, asker, quota, trace)
    if isinstance(problem, TimeoutError):
        return unreachable(str(problem) or "it did not answer in time", what)
    return CloudFailure(codes.NEBIUS_FAILED, f"{what} failed", str(problem), fix=_AGAIN)


def of_answer(
    code: str, text: str, what: str, asker: Asker, quota: bool = False, trace: str = ""
) -> CloudFailure:
    """The failure that an error answer stands for."""
    evidence = tuple(line for line in (f"{what} answered {code}", trace) if line)

    def failure(kind: errors.ErrorCode, message: str, cause: str, fix: str) -> CloudFailure:
        return CloudFailure(
            kind, message, cause, evidence, fix, api_code=code, denied=code == DENIED
        )

    if code == UNAUTHENTICATED:
        return failure(
            errors.CLOUD_CREDENTIALS_REJECTED,
            "Nebius does not accept your credentials",
            text,
            "export NEBIUS_IAM_TOKEN=$(nebius iam get-access-token), or renew the key file",
        )
    if code == DENIED:
        return failure(
            errors.FORBIDDEN,
            f"{asker.name} may not {what}",
            text or "Nebius denies it",
            "have a role given to you that allows it; "
            "`anyscale cloud permissions --provider nebius` prints which",
        )
    if quota:
        return failure(
            codes.NEBIUS_QUOTA,
            "A quota of the Nebius project is used up",
            text,
            "remove what is not needed, or ask for more on the console's page of limits",
        )
    if code == THROTTLED:
        return failure(
            codes.NEBIUS_THROTTLED, f"Nebius takes no more calls of {what} for now", text, _AGAIN
        )
    if code == LATE or (code == UNAVAILABLE and silent(text)):
        return unreachable(text or "it did not answer in time", what, code, evidence)
    return failure(codes.NEBIUS_FAILED, f"{what} failed", f"{code}: {text}".strip(": "), _AGAIN)


def silent(text: str) -> bool:
    """Whether an error tells that nobody answered, instead of what somebody answered."""
    return any(words in text.lower() for words in _NO_CONNECTION)


def unreachable(
    text: str, what: str, code: str = UNAVAILABLE, evidence: tuple[str, ...] = ()
) -> CloudFailure:
    return CloudFailure(
        codes.NEBIUS_UNREACHABLE,
        f"Nebius ({what}) cannot be reached from here",
        text,
        evidence,
        fix="check the network, HTTPS_PROXY and NEBIUS_ENDPOINT",
        api_code=code,
    )
