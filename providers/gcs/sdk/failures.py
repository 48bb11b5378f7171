"""What Google's answers and the exceptions of its SDKs mean, in our words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from google.api_core import exceptions as api_errors
from google.auth import exceptions as auth_errors
from google.cloud.storage import exceptions as storage_errors

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.gcs import codes

# Google's canonical words: https://cloud.google.com/apis/design/errors
ABSENT = "NOT_FOUND"
EXISTS = "ALREADY_EXISTS"
DENIED = "PERMISSION_DENIED"
UNAUTHENTICATED = "UNAUTHENTICATED"
THROTTLED = "RESOURCE_EXHAUSTED"
DISABLED = "SERVICE_DISABLED"
# OAuth's word for a workload identity pool, or a cluster in it, that there is not.
NO_SUCH_POOL = "invalid_target"
STANDS_AGAINST = "FAILED_PRECONDITION"
# A policy or a bucket changed between its reading and its writing.
STALE = ("ABORTED", "CONDITION_NOT_MET")

_BY_STATUS = {
    400: "INVALID_ARGUMENT",
    401: UNAUTHENTICATED,
    403: DENIED,
    404: ABSENT,
    409: EXISTS,
    412: "CONDITION_NOT_MET",
    429: THROTTLED,
}
# With the same status as a change in between, storage tells what an organization forbids.
_CHANGED = re.compile("pre-?conditions?", re.IGNORECASE)
_CONSTRAINT = re.compile(r"\b(constraints|customConstraints)/([\w.-]*\w)")
_KEY_DEMANDED = "gcp.restrictNonCmekServices"
_AGAIN = "run the same command again to go on"


@dataclass(frozen=True)
class Asker:
    """On whose behalf a call was made, for the message; `role` says what else it takes."""

    principal: str = ""
    project: str = ""
    impersonated: str | None = None
    role: str = ""

    @property
    def name(self) -> str:
        return self.principal or "your Google account"


# All that the SDKs raise of themselves.
RAISED = (
    api_errors.GoogleAPIError,
    auth_errors.GoogleAuthError,
    storage_errors.DataCorruption,
    storage_errors.InvalidResponse,
    requests.RequestException,
)


def of_sdk(problem: Exception, what: str, asker: Asker) -> CloudFailure:
    """The failure that one of `RAISED` stands for."""
    if isinstance(problem, api_errors.GoogleAPICallError):
        return of_api(problem, what, asker)
    if isinstance(problem, auth_errors.GoogleAuthError):
        return of_credentials(problem, what, asker.impersonated)
    if isinstance(problem, requests.RequestException):
        return unreachable(str(problem), what)
    return CloudFailure(codes.GCP_FAILED, f"{what} failed", str(problem), fix=_AGAIN)


def word_for(problem: Exception) -> str:
    """What a call ended with, in a word: the status if there was an answer."""
    if isinstance(problem, api_errors.GoogleAPICallError):
        return str(int(problem.code or 0))
    return type(problem).__name__


def of_api(problem: api_errors.GoogleAPICallError, what: str, asker: Asker) -> CloudFailure:
    """The failure that an SDK's exception stands for."""
    status = int(problem.code or 0)
    response = problem.response
    if isinstance(response, requests.Response):
        return of_answer(status, body_of(response), what, asker)
    body = {"error": {"message": problem.message or "", "errors": problem.errors or []}}
    return of_answer(status, body, what, asker)


def of_answer(status: int, body: Mapping[str, Any], what: str, asker: Asker) -> CloudFailure:
    """The failure that an error answer stands for, in any of Google's forms of one."""
    error = body.get("error")
    if not isinstance(error, Mapping):
        # OAuth's form: a word and a description.
        error = {"message": body.get("error_description") or "", "status": error or ""}
    text = str(error.get("message") or "")
    info = _info(error)
    code = str(info.get("reason") if info.get("reason") == DISABLED else error.get("status") or "")
    reasons = [str(item.get("reason", "")) for item in error.get("errors") or () if item]
    if "accessNotConfigured" in reasons:
        code = DISABLED
    code = code or _BY_STATUS.get(status, "")
    if status == 412 and not _CHANGED.search(text):
        code = STANDS_AGAINST
    evidence = (f"{what} answered {status} {code}".rstrip(),)

    def failure(kind: errors.ErrorCode, message: str, cause: str, fix: str) -> CloudFailure:
        denied = code in (DENIED, DISABLED)
        return CloudFailure(
            kind, message, cause, evidence, fix, api_code=code, status=status, denied=denied
        )

    if code == DISABLED and "quota project" in text:
        return failure(
            errors.CLOUD_CREDENTIALS_REJECTED,
            "Your Google credentials name no project to count calls for",
            text,
            f"gcloud auth application-default set-quota-project {asker.project}",
        )
    if code == DISABLED:
        service = str(_metadata(info).get("service") or what)
        return failure(
            codes.API_DISABLED,
            f"The API {service} is not enabled in the project {asker.project}",
            text,
            f"gcloud services enable {service} --project {asker.project}",
        )
    if status == 401:
        return failure(
            errors.CLOUD_CREDENTIALS_REJECTED,
            "Google does not accept your credentials",
            text or code,
            "gcloud auth application-default login, or renew the key file",
        )
    if status == 403:
        needed = str(_metadata(info).get("permission") or what)
        return failure(
            errors.FORBIDDEN,
            f"{asker.name} may not {needed}",
            text or "Google denies it",
            f"have {needed} allowed{asker.role}",
        )
    if status == 429:
        return failure(
            codes.GCP_THROTTLED, f"Google takes no more calls of {what} for now", text, _AGAIN
        )
    fix = _AGAIN
    if code == STANDS_AGAINST:
        fix = _of_constraint(text, asker.project)
    return failure(codes.GCP_FAILED, f"{what} failed", f"{code}: {text}".strip(": "), fix)


def _of_constraint(text: str, project: str) -> str:
    """What shows the rule of an organization, where its name is told, and what can meet it."""
    named = _CONSTRAINT.search(text)
    if named is None:
        return "see whether a rule of your organization stands against it, and ask who sets those"
    show = f"gcloud org-policies describe {named[2]} --effective --project {project}"
    if named[2] == _KEY_DEMANDED:
        return f"a bucket with a key of yours, by --kms-key or --bucket; {show}"
    if named[1].startswith("custom"):
        return f"see which labels or settings your organization demands: {show}; --tag adds labels"
    return f"ask who sets the rules of your organization: {show}"


def of_key_file(path: str, why: str) -> CloudFailure:
    """The failure of a key file that is none."""
    return _missing(f"GOOGLE_APPLICATION_CREDENTIALS names {path}: {why}")


def _missing(cause: str) -> CloudFailure:
    return CloudFailure(
        errors.CLOUD_CREDENTIALS_MISSING,
        "There are no usable Google credentials",
        cause,
        fix="gcloud auth application-default login, or name a key file in "
        "GOOGLE_APPLICATION_CREDENTIALS",
    )


def of_credentials(
    problem: auth_errors.GoogleAuthError, what: str, impersonate: str | None
) -> CloudFailure:
    """The failure of credentials that are missing, ended or cannot be had."""
    text = " ".join(str(problem.args[0] if problem.args else problem).split())
    if isinstance(problem, auth_errors.DefaultCredentialsError):
        return _missing(text)
    if isinstance(problem, auth_errors.TransportError | auth_errors.TimeoutError):
        return unreachable(text, what)
    if impersonate and "impersonated" in text:
        return CloudFailure(
            errors.CLOUD_CREDENTIALS_REJECTED,
            f"Google does not let you act as {impersonate}",
            " ".join(str(item) for item in problem.args[1:2]) or text,
            (f"asked for {what}",),
            f"gcloud iam service-accounts add-iam-policy-binding {impersonate} "
            "--member=<you> --role=roles/iam.serviceAccountTokenCreator",
        )
    return CloudFailure(
        errors.CLOUD_CREDENTIALS_REJECTED,
        "Google gives no token for your credentials",
        text,
        (f"asked for {what}",),
        "gcloud auth application-default login, or renew the key file",
    )


def unreachable(text: str, what: str) -> CloudFailure:
    return CloudFailure(
        codes.GCP_UNREACHABLE,
        f"Google Cloud ({what}) cannot be reached from here",
        text,
        fix="check the network, HTTPS_PROXY and REQUESTS_CA_BUNDLE",
    )


def body_of(response: requests.Response) -> dict[str, Any]:
    """The JSON object in an answer; what else came is its message."""
    try:
        found = response.json()
    except requests.exceptions.JSONDecodeError:
        return {"error": {"message": response.text[:500]}}
    if isinstance(found, list) and found:
        found = found[0]
    return dict(found) if isinstance(found, Mapping) else {"error": {"message": str(found)}}


def _info(error: Mapping[str, Any]) -> Mapping[str, Any]:
    for detail in error.get("details") or ():
        if isinstance(detail, Mapping) and str(detail.get("@type", "")).endswith("ErrorInfo"):
            return detail
    return {}


def _metadata(info: Mapping[str, Any]) -> Mapping[str, Any]:
    found = info.get("metadata")
    return found if isinstance(found, Mapping) else {}
