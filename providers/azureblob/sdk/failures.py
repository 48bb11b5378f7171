"""What Azure's answers and the exceptions of its SDKs mean, in our words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.azureblob import codes
from anyscale_k8s_cli.providers.azureblob.sdk.enums import word

# Azure's own words for "there is no such thing"; a subscription that is not there is
# another matter. https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting
ABSENT = frozenset(
    {
        "BlobNotFound",
        "ContainerNotFound",
        "NotFound",
        "ParentResourceNotFound",
        "ResourceGroupNotFound",
        "ResourceNotFound",
        "RoleAssignmentNotFound",
    }
)
# What somebody else is doing to the same object will be over soon.
BUSY = frozenset(
    {
        "AnotherOperationInProgress",
        "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
        "ContainerBeingDeleted",
        "StorageAccountOperationInProgress",
    }
)
TAKEN = frozenset({"StorageAccountAlreadyTaken", "StorageAccountInAnotherResourceGroup"})
ASSIGNED = "RoleAssignmentExists"
# A new principal is not known everywhere at once.
NO_PRINCIPAL = "PrincipalNotFound"
_BROKEN = (ServiceRequestError, ServiceResponseError, IncompleteReadError)
_NUMBER = re.compile(r"AADSTS\d+")
_NAMESPACE = re.compile(r"namespace '([^']+)'")
_AGAIN = "run the same command again to go on"
_LOGIN = "az login, or renew the secret or certificate that the AZURE_* variables name"


@dataclass(frozen=True)
class Asker:
    """On whose behalf a call was made, for the message; `role` says what else it takes."""

    principal: str = ""
    subscription: str = ""
    role: str = ""

    @property
    def name(self) -> str:
        return self.principal or "your Azure account"


def of(problem: AzureError, what: str, asker: Asker) -> CloudFailure:
    """The failure that an SDK's exception stands for; `what` is the right that the call takes."""
    if _from_login(problem):
        return of_login(problem, what)
    if isinstance(problem, HttpResponseError) and problem.status_code:
        return _of_answer(problem, what, asker)
    if isinstance(problem, _BROKEN):
        return unreachable(_told(problem), what)
    return CloudFailure(codes.AZURE_FAILED, f"{what} failed", _told(problem), fix=_AGAIN)


def of_login(problem: AzureError, what: str) -> CloudFailure:
    """The failure of credentials that are missing, or that Entra gives no token for."""
    text = _told(problem)
    number = _NUMBER.search(text)
    if number is None:
        cause, tried = _attempts(problem)
        return _missing(cause, (f"asked for {what}", *tried))
    return CloudFailure(
        errors.CLOUD_CREDENTIALS_REJECTED,
        "Entra gives no token for your credentials",
        text,
        (f"asked for {what}",),
        _LOGIN,
        api_code=number[0],
    )


def of_variables(problem: ValueError) -> CloudFailure:
    """The failure of `AZURE_*` variables that the SDK refuses as they stand."""
    return _missing(" ".join(str(problem).split()))


def _missing(cause: str, evidence: tuple[str, ...] = ()) -> CloudFailure:
    return CloudFailure(
        errors.CLOUD_CREDENTIALS_MISSING,
        "There are no usable Azure credentials",
        cause,
        evidence,
        "az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
    )


def _attempts(problem: AzureError) -> tuple[str, tuple[str, ...]]:
    """Why there is no token, and each way to sign in that was tried with its first sentence.

    The SDK tells them on lines of their own, with advice after each.
    """
    lines = str(problem.message or problem).splitlines()
    tried = tuple(
        line.strip().partition(". ")[0] for line in lines if line.startswith("\t") and ":" in line
    )
    return ("no way to sign in has led to a token" if tried else _told(problem)), tried


def unreachable(text: str, what: str) -> CloudFailure:
    return CloudFailure(
        codes.AZURE_UNREACHABLE,
        f"Azure ({what}) cannot be reached from here",
        " ".join(text.split()),
        fix="check the network, HTTPS_PROXY and REQUESTS_CA_BUNDLE",
    )


def _of_answer(problem: HttpResponseError, what: str, asker: Asker) -> CloudFailure:
    status = int(problem.status_code or 0)
    code, text, policies = _said(problem)
    kind, message, fix = _by_word(code, text, what, asker) or _by_status(status, what, asker)
    cause = text or code
    if kind is codes.POLICY_DENIES and policies:
        cause = ", ".join(policies)
    elif kind is codes.AZURE_FAILED:
        cause = f"{code}: {text}".strip(": ")
    return CloudFailure(
        kind,
        message,
        cause,
        (f"{what} answered {status} {code}".rstrip(),),
        fix,
        api_code=code,
        status=status,
        denied=kind is errors.FORBIDDEN,
    )


Meaning = tuple[errors.ErrorCode, str, str]


def _by_word(code: str, text: str, what: str, asker: Asker) -> Meaning | None:
    match code:
        case "RequestDisallowedByPolicy":
            message = "A policy of your company's does not allow it"
            return codes.POLICY_DENIES, message, _way_round(text)
        case "MissingSubscriptionRegistration":
            found = _NAMESPACE.search(text)
            namespace = found[1] if found else what.partition("/")[0]
            return (
                codes.NOT_REGISTERED,
                f"The subscription is not registered to use {namespace}",
                register(namespace, asker.subscription),
            )
        case "ScopeLocked":
            return (
                codes.AZURE_LOCKED,
                "A lock of your company's does not allow it",
                "see `az lock list`; have the lock taken away, and run the same command again",
            )
        case "SubscriptionNotFound":
            return (
                errors.ACCOUNT_MISMATCH,
                f"{asker.name} sees no subscription {asker.subscription}",
                "check --subscription-id; `az account list` shows those that you see",
            )
    return None


def _by_status(status: int, what: str, asker: Asker) -> Meaning:
    if status == 401:
        message = "Azure does not accept your credentials"
        return errors.CLOUD_CREDENTIALS_REJECTED, message, _LOGIN
    if status == 403:
        return (
            errors.FORBIDDEN,
            f"{asker.name} may not {what}",
            f"have {what} allowed{asker.role}",
        )
    if status == 429:
        return codes.AZURE_THROTTLED, f"Azure takes no more calls of {what} for now", _AGAIN
    return codes.AZURE_FAILED, f"{what} failed", _AGAIN


def register(namespace: str, subscription: str) -> str:
    """The command that lets a subscription use a resource provider."""
    return f"az provider register --namespace {namespace} --subscription {subscription}"


def _way_round(text: str) -> str:
    told = text.lower()
    if "shared key" in told or "allowsharedkeyaccess" in told:
        return "run setup again with --azure-shared-key off"
    if "tag" in told:
        return "run setup again with the tags that the policy demands: --tag KEY=VALUE"
    return "have the policy's owner make an exemption, then run the same command again"


def _from_login(problem: AzureError) -> bool:
    """Whether it was Entra that refused, and not the API that was called."""
    return isinstance(problem, ClientAuthenticationError) and (
        problem.response is None or _NUMBER.search(_told(problem)) is not None
    )


def _told(problem: AzureError) -> str:
    return " ".join(str(problem.message or problem).split())


def _said(problem: HttpResponseError) -> tuple[str, str, list[str]]:
    """Azure's word, its sentence, and the policies that it names."""
    error = _body(problem)
    code = word(getattr(problem, "error_code", None) or error.get("code") or "")
    text = " ".join(str(error.get("message") or problem.reason or "").split())
    names = []
    for entry in error.get("additionalInfo") or ():
        info = entry.get("info") if isinstance(entry, Mapping) else None
        if isinstance(info, Mapping):
            names.append(
                str(
                    info.get("policyAssignmentDisplayName")
                    or info.get("policyDefinitionDisplayName")
                    or info.get("policyAssignmentName")
                    or ""
                )
            )
    return code, text, [name for name in names if name]


def _body(problem: HttpResponseError) -> Mapping[str, Any]:
    """The error in a JSON answer; services put it at the top or one level below."""
    response = problem.response
    try:
        found = json.loads(response.text()) if response is not None else {}
    except ValueError:
        return {"message": problem.message}
    if not isinstance(found, Mapping):
        return {"message": problem.message}
    error = found.get("error", found)
    return error if isinstance(error, Mapping) else {"message": problem.message}
