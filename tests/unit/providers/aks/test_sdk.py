"""The SDK's package: errors in our words, and where each of Azure's clouds is."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import pytest
from azure.core import AzureClouds
from azure.core import exceptions as azure_errors
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.identity import AuthenticationRequiredError, CredentialUnavailableError

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.azureblob import codes
from anyscale_k8s_cli.providers.azureblob.sdk import clouds, failures
from anyscale_k8s_cli.providers.azureblob.sdk.failures import Asker
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session
from anyscale_k8s_cli.run import Run

ASKER = Asker("me@example.com", "s-1")
RIGHT = "Microsoft.Storage/storageAccounts/read"


class Response:
    """What an SDK's exception holds of an answer."""

    def __init__(self, status: int, body: Any) -> None:
        self.status_code = status
        self.reason = "Because"
        self.content = body if isinstance(body, str) else json.dumps(body)
        self.request = HttpRequest("GET", "https://management.example/")
        self.headers: dict[str, str] = {}
        self.content_type = "application/json"

    def text(self, _encoding: str | None = None) -> str:
        return self.content


def answer(status: int, code: str = "", text: str = "because", **more: Any) -> CloudFailure:
    error = {"code": code, "message": text, **more}
    problem = HttpResponseError(response=Response(status, {"error": error}))  # type: ignore[arg-type]
    return failures.of(problem, RIGHT, ASKER)


@pytest.mark.parametrize(
    ("status", "code", "meant"),
    [
        (400, "BadRequest", codes.AZURE_FAILED),
        (401, "InvalidAuthenticationToken", errors.CLOUD_CREDENTIALS_REJECTED),
        (401, "ExpiredAuthenticationToken", errors.CLOUD_CREDENTIALS_REJECTED),
        (403, "AuthorizationFailed", errors.FORBIDDEN),
        (403, "LinkedAuthorizationFailed", errors.FORBIDDEN),
        (403, "RequestDisallowedByPolicy", codes.POLICY_DENIES),
        (404, "ResourceNotFound", codes.AZURE_FAILED),
        (404, "SubscriptionNotFound", errors.ACCOUNT_MISMATCH),
        (409, "ScopeLocked", codes.AZURE_LOCKED),
        (409, "MissingSubscriptionRegistration", codes.NOT_REGISTERED),
        (409, "StorageAccountAlreadyTaken", codes.AZURE_FAILED),
        (429, "TooManyRequests", codes.AZURE_THROTTLED),
        (500, "InternalServerError", codes.AZURE_FAILED),
        (503, "", codes.AZURE_FAILED),
    ],
)
def test_what_an_answer_means(status: int, code: str, meant: errors.ErrorCode) -> None:
    problem = answer(status, code)
    assert (problem.api_code, problem.status, problem.code) == (code, status, meant)
    assert problem.denied is (meant is errors.FORBIDDEN)
    assert problem.evidence == (f"{RIGHT} answered {status} {code}".rstrip(),)
    assert problem.fix


def test_a_denial_names_who_and_the_right() -> None:
    problem = answer(403, "AuthorizationFailed")
    assert problem.message == f"me@example.com may not {RIGHT}"
    assert RIGHT in problem.fix


def policy(name: str) -> dict[str, Any]:
    info = {"policyAssignmentDisplayName": name}
    return {"additionalInfo": [{"type": "PolicyViolation", "info": info}]}


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("Storage accounts should prevent shared key access", "--azure-shared-key off"),
        ("Require a tag on resources", "--tag KEY=VALUE"),
        ("Allowed locations", "exemption"),
    ],
)
def test_a_policy_is_named_with_the_way_round(name: str, fix: str) -> None:
    text = f"Resource 'x' was disallowed by policy. Policy identifiers: '{name}'."
    problem = answer(403, "RequestDisallowedByPolicy", text, **policy(name))
    assert problem.cause == name
    assert fix in problem.fix


def test_a_service_that_is_not_registered_is_named() -> None:
    text = "The subscription is not registered to use namespace 'Microsoft.Storage'."
    problem = answer(409, "MissingSubscriptionRegistration", text)
    assert problem.fix == "az provider register --namespace Microsoft.Storage --subscription s-1"


@pytest.mark.parametrize(
    "body",
    [
        {"code": "Oddity", "message": "it is odd"},
        {"error": {"code": "Oddity", "message": "it is  odd"}},
    ],
    ids=["at the top", "below"],
)
def test_forms_of_an_error(body: Any) -> None:
    problem = HttpResponseError(response=Response(400, body))  # type: ignore[arg-type]
    failure = failures.of(problem, RIGHT, ASKER)
    assert (failure.api_code, failure.cause) == ("Oddity", "Oddity: it is odd")


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", '"x"', "[]", ""])
def test_answers_that_are_no_json_object(body: str) -> None:
    problem = HttpResponseError("it failed", response=Response(502, body))  # type: ignore[arg-type]
    failure = failures.of(problem, RIGHT, ASKER)
    assert failure.code is codes.AZURE_FAILED
    assert failure.cause


@pytest.mark.parametrize(
    ("problem", "meant"),
    [
        (CredentialUnavailableError(message="none"), errors.CLOUD_CREDENTIALS_MISSING),
        (
            azure_errors.ClientAuthenticationError("Attempted credentials: none"),
            errors.CLOUD_CREDENTIALS_MISSING,
        ),
        (
            AuthenticationRequiredError(("x",), message="sign in again"),
            errors.CLOUD_CREDENTIALS_MISSING,
        ),
        (
            azure_errors.ClientAuthenticationError("AADSTS7000215: Invalid client secret."),
            errors.CLOUD_CREDENTIALS_REJECTED,
        ),
        (azure_errors.ServiceRequestError("no route"), codes.AZURE_UNREACHABLE),
        (azure_errors.ServiceResponseError("it broke"), codes.AZURE_UNREACHABLE),
        (azure_errors.ServiceRequestTimeoutError("30 s"), codes.AZURE_UNREACHABLE),
        (azure_errors.DecodeError("no JSON"), codes.AZURE_FAILED),
        (azure_errors.IncompleteReadError("it broke"), codes.AZURE_UNREACHABLE),
    ],
)
def test_what_is_raised_means(problem: azure_errors.AzureError, meant: errors.ErrorCode) -> None:
    failure = failures.of(problem, RIGHT, ASKER)
    assert failure.code is meant
    assert failure.fix


def test_entras_number_is_the_word() -> None:
    problem = azure_errors.ClientAuthenticationError("AADSTS700211: No matching … issuer 'x'")
    assert failures.of(problem, RIGHT, ASKER).api_code == "AADSTS700211"


def test_whatever_the_sdk_raises_is_mapped() -> None:
    """No error of the SDK passes: its root is caught where calls are made."""
    raised = {
        found
        for found in vars(azure_errors).values()
        if isinstance(found, type) and issubclass(found, Exception)
    }
    others = {found for found in raised if not issubclass(found, azure_errors.AzureError)}
    # Of what is handed to the SDK wrongly, and of streams that are not used here.
    assert {found.__name__ for found in others} <= {
        "DeserializationError",
        "SerializationError",
    }


# -- clouds ------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (clouds.METADATA, clouds.SETTING, clouds.AUTHORITY):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "domain"),
    [
        (clouds.SETTING, "AZURE_US_GOVERNMENT", "usgovcloudapi.net"),
        (clouds.SETTING, "AZURE_CHINA_CLOUD", "chinacloudapi.cn"),
        (clouds.AUTHORITY, "https://login.microsoftonline.us/", "usgovcloudapi.net"),
        (clouds.AUTHORITY, "login.chinacloudapi.cn", "chinacloudapi.cn"),
        (clouds.AUTHORITY, "https://login.microsoftonline.com", "azure.com"),
    ],
)
def test_sovereign_clouds_come_from_the_sdks_table(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, domain: str
) -> None:
    monkeypatch.setenv(variable, value)
    found = clouds.present()
    assert found.resource_manager.endswith(domain)
    assert found.scope.endswith(f"{domain}/.default")
    assert found.known


def test_the_login_follows_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clouds.present().authority == "login.microsoftonline.com"
    monkeypatch.setenv(clouds.SETTING, "AZURE_US_GOVERNMENT")
    assert clouds.present().authority == "login.microsoftonline.us"


def test_every_cloud_of_the_sdk_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for cloud in AzureClouds:
        monkeypatch.setenv(clouds.SETTING, cloud.name)
        assert clouds.present().authority


def test_a_cloud_that_the_sdk_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clouds.SETTING, "AZURE_ATLANTIS")
    with pytest.raises(errors.CliError) as caught:
        clouds.present()
    assert caught.value.code is errors.INVALID_SPEC
    assert "AZURE_CHINA_CLOUD" in caught.value.fix


TOLD = {
    "resourceManager": "https://management.local.example/",
    "authentication": {
        "loginEndpoint": "https://login.local.example/",
        "audiences": ["https://management.local.example/one"],
    },
    "suffixes": {"storage": "local.example"},
}
OTHER = {**TOLD, "resourceManager": "https://management.other.example/"}


@pytest.mark.parametrize("document", [TOLD, [OTHER, TOLD]], ids=["one", "with its siblings"])
def test_a_cloud_that_describes_itself(monkeypatch: pytest.MonkeyPatch, document: Any) -> None:
    monkeypatch.setattr(clouds, "_fetch", lambda *_: document)
    monkeypatch.setenv(clouds.METADATA, "https://management.local.example/metadata/endpoints?x=1")
    found = clouds.present()
    assert found.resource_manager == "https://management.local.example"
    assert found.scope == "https://management.local.example/one/.default"
    assert found.authority == "https://login.local.example"
    assert (found.known, found.storage_suffix) == (False, "local.example")


def test_no_clouds_domain_is_spelled_out() -> None:
    # Before a slash it is a prefix of Kubernetes' labels, everywhere the same.
    spelled = re.compile(
        r"azure\.com(?!/)|windows\.net|chinacloudapi|usgovcloudapi|microsoftonline|cloudapp"
    )
    folder = files("anyscale_k8s_cli.providers.aks")
    texts = {
        item.name: item.read_text(encoding="utf-8")
        for place in (folder, folder.joinpath("sdk"))
        for item in place.iterdir()
        if item.name.endswith(".py")
    }
    assert len(texts) > 25
    for name, text in texts.items():
        assert not spelled.search(text), name


def test_each_way_to_sign_in_is_told_in_a_line() -> None:
    told = (
        "DefaultAzureCredential failed to retrieve a token from the included credentials.\n"
        "Attempted credentials:\n"
        "\tEnvironmentCredential: Environment variables are not fully configured.\n"
        "Visit https://aka.ms/environment to troubleshoot this issue.\n"
        "\tAzureCliCredential: Please run 'az login' to set up an account. See more.\n"
        "To mitigate this issue, please refer to the guidelines."
    )
    problem = failures.of(azure_errors.ClientAuthenticationError(told), RIGHT, ASKER)
    assert problem.code is errors.CLOUD_CREDENTIALS_MISSING
    assert problem.cause == "no way to sign in has led to a token"
    assert problem.evidence[1:] == (
        "EnvironmentCredential: Environment variables are not fully configured.",
        "AzureCliCredential: Please run 'az login' to set up an account",
    )


def test_a_tenant_that_cannot_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "no tenant's id")
    with pytest.raises(CloudFailure, match="Invalid tenant") as refused:
        _ = Session(Run(), "s-1").credential
    assert refused.value.code is errors.CLOUD_CREDENTIALS_MISSING
