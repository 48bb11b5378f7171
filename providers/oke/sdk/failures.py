"""What Oracle's answers and the exceptions of its SDK mean, in our words.

https://docs.oracle.com/iaas/Content/API/References/apierrors.htm
"""

from __future__ import annotations

from collections.abc import Callable

from oci.exceptions import ClientError, RequestException, ServiceError

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks.rights import mended
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.oke import codes, permissions

# One word for both, so that nobody learns what is there.
HIDDEN = "NotAuthorizedOrNotFound"
ABSENT = frozenset({HIDDEN, "NotFound", "BucketNotFound", "ObjectNotFound", "NamespaceNotFound"})
LIMITS = frozenset({"LimitExceeded", "QuotaExceeded", "CredentialLimitExceeded"})
NOT_EMPTY = "BucketNotEmpty"
# Something changed between its reading and its writing.
STALE = frozenset({"NoEtagMatch", "IfMatchFailed"})
_BUSY = frozenset({429, 500, 502, 503, 504})
_AGAIN = "run the same command again to go on"

# All that the SDK raises of a call.
RAISED = (ServiceError, RequestException, ClientError)


def word_for(problem: BaseException) -> str:
    """What a call ended with, in a word."""
    if isinstance(problem, ServiceError):
        return f"{problem.status} {problem.code}"
    return type(problem).__name__


def exists(failure: CloudFailure) -> bool:
    """Whether what was to be made is there already: each kind has a word of its own."""
    return failure.status == 409 and failure.api_code.endswith(("AlreadyExists", "Conflict"))


def is_busy(problem: BaseException) -> bool:
    """Whether the same call may be answered in a moment."""
    return isinstance(problem, CloudFailure) and (
        problem.status in _BUSY or problem.code is codes.OCI_UNREACHABLE
    )


def of_sdk(problem: BaseException, what: str, who: str) -> CloudFailure:
    """The failure that one of `RAISED` stands for."""
    if isinstance(problem, ServiceError):
        return _of_answer(problem, what, who)
    if isinstance(problem, RequestException):
        return CloudFailure(
            codes.OCI_UNREACHABLE,
            f"Oracle Cloud ({what}) cannot be reached from here",
            " ".join(str(problem).split()),
            fix="check the network, HTTPS_PROXY, --region and OCI_ENDPOINT",
        )
    return CloudFailure(codes.OCI_FAILED, f"{what} failed", str(problem), fix=_AGAIN)


def _of_answer(problem: ServiceError, what: str, who: str) -> CloudFailure:
    status, code, text = problem.status, str(problem.code or ""), str(problem.message or "")
    trace = f"request {problem.request_id}" if problem.request_id else ""
    evidence = tuple(line for line in (f"{what} answered {status} {code}", trace) if line)
    denied = status == 403 or code in ABSENT

    def failure(kind: errors.ErrorCode, message: str, cause: str, fix: str) -> CloudFailure:
        return CloudFailure(
            kind, message, cause, evidence, fix, api_code=code, status=status, denied=denied
        )

    kinds: list[tuple[bool, Callable[[], CloudFailure]]] = [
        (
            status == 401,
            lambda: failure(
                errors.CLOUD_CREDENTIALS_REJECTED,
                "Oracle Cloud does not accept your credentials",
                text,
                "check user, fingerprint and key in ~/.oci/config, and this machine's clock",
            ),
        ),
        (
            denied,
            lambda: failure(
                errors.FORBIDDEN,
                f"{who or 'your user'} may not {what}, or what it is about is not there",
                text,
                mended(
                    permissions.advice(permissions.for_call(what)),
                    "anyscale cloud permissions --provider oke",
                ),
            ),
        ),
        (
            code in LIMITS,
            lambda: failure(
                codes.OCI_LIMIT,
                f"{what} would exceed a limit of the tenancy",
                text,
                "remove what is not needed, or ask Oracle for more on the page of limits",
            ),
        ),
        (
            status == 429,
            lambda: failure(
                codes.OCI_THROTTLED,
                f"Oracle Cloud takes no more calls of {what} for now",
                text,
                _AGAIN,
            ),
        ),
    ]
    for applies, made in kinds:
        if applies:
            return made()
    return failure(codes.OCI_FAILED, f"{what} failed", f"{code}: {text}".strip(": "), _AGAIN)
