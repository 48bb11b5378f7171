"""The SDK's package: errors in our words, e-mails and projects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core import exceptions as api_errors
from google.auth import exceptions as auth_errors
from google.cloud.storage import exceptions as storage_errors

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.gcs import codes
from anyscale_k8s_cli.providers.gcs.sdk import failures
from anyscale_k8s_cli.providers.gcs.sdk.failures import Asker
from anyscale_k8s_cli.providers.gcs.sdk.session import Session, default_project
from anyscale_k8s_cli.providers.gke.sdk.iam import email_of, project_of
from anyscale_k8s_cli.run import Run

ASKER = Asker("me@demo.iam.gserviceaccount.com", "demo")
CHANGED = "At least one of the pre-conditions you specified did not hold."


def answer(status: int, *, word: str = "", text: str = "because", **more: Any) -> CloudFailure:
    error = {"code": status, "message": text, **({"status": word} if word else {}), **more}
    return failures.of_answer(status, {"error": error}, "storage.buckets.get", ASKER)


@pytest.mark.parametrize(
    ("status", "word", "code", "meant"),
    [
        (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", codes.GCP_FAILED),
        (400, "", "INVALID_ARGUMENT", codes.GCP_FAILED),
        (401, "", failures.UNAUTHENTICATED, errors.CLOUD_CREDENTIALS_REJECTED),
        (403, "", failures.DENIED, errors.FORBIDDEN),
        (404, "", failures.ABSENT, codes.GCP_FAILED),
        (409, "", failures.EXISTS, codes.GCP_FAILED),
        (409, "ABORTED", "ABORTED", codes.GCP_FAILED),
        (429, "", failures.THROTTLED, codes.GCP_THROTTLED),
        (429, "RESOURCE_EXHAUSTED", failures.THROTTLED, codes.GCP_THROTTLED),
        (500, "INTERNAL", "INTERNAL", codes.GCP_FAILED),
        (503, "", "", codes.GCP_FAILED),
    ],
)
def test_what_an_answer_means(status: int, word: str, code: str, meant: errors.ErrorCode) -> None:
    problem = answer(status, word=word)
    assert (problem.api_code, problem.code) == (code, meant)
    assert problem.denied is (meant is errors.FORBIDDEN)
    assert problem.evidence == (f"storage.buckets.get answered {status} {code}".rstrip(),)


@pytest.mark.parametrize(
    ("text", "stale"),
    [
        (CHANGED, True),
        ("Precondition Failed", True),
        ("One or more users named in the policy do not belong to a permitted customer.", False),
        ("'us-central1' violates constraint 'constraints/gcp.resourceLocations'", False),
    ],
)
def test_a_change_in_between_is_no_rule_of_an_organization(text: str, stale: bool) -> None:
    problem = answer(412, text=text)
    assert (problem.api_code in failures.STALE) is stale
    assert ("organization" in problem.fix) is not stale


def info(reason: str, **metadata: str) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"details": [{"@type": kind, "reason": reason, "metadata": metadata}]}


def test_a_denial_names_who_and_the_permission_that_google_names() -> None:
    told = info("IAM_PERMISSION_DENIED", permission="storage.buckets.list")
    problem = answer(403, word="PERMISSION_DENIED", **told)
    assert problem.message == f"{ASKER.principal} may not storage.buckets.list"
    assert "storage.buckets.list" in problem.fix
    assert answer(403).message == f"{ASKER.principal} may not storage.buckets.get"


@pytest.mark.parametrize(
    "told",
    [
        info("SERVICE_DISABLED", service="storage.googleapis.com"),
        {
            "errors": [{"reason": "accessNotConfigured"}],
            **info("", service="storage.googleapis.com"),
        },
    ],
    ids=["new form", "old form"],
)
def test_an_api_that_is_off(told: dict[str, Any]) -> None:
    problem = answer(403, word="PERMISSION_DENIED", **told)
    assert problem.code is codes.API_DISABLED
    assert problem.fix == "gcloud services enable storage.googleapis.com --project demo"
    assert problem.denied


def test_the_form_of_oauth() -> None:
    body = {"error": "invalid_target", "error_description": "no such pool"}
    problem = failures.of_answer(400, body, "sts.token", ASKER)
    assert problem.api_code == failures.NO_SUCH_POOL
    assert problem.cause == "invalid_target: no such pool"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"error": {"message": "x"}}', "x"),
        (b'[{"error": {"message": "x"}}]', "x"),
        (b"<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        (b'"x"', "x"),
    ],
)
def test_answers_that_are_no_json_object(content: bytes, text: str) -> None:
    response = requests.Response()
    response._content = content
    body = failures.body_of(response)
    assert body["error"]["message"] == text
    assert failures.of_answer(502, body, "x", ASKER).code is codes.GCP_FAILED


def test_an_sdks_exception_is_the_answer_in_it() -> None:
    response = requests.Response()
    response.status_code = 403
    response._content = b'{"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}'
    with_answer = api_errors.Forbidden("no", response=response)
    without = api_errors.Forbidden("no")
    for problem in (with_answer, without):
        failure = failures.of_api(problem, "container.clusters.list", ASKER)
        assert failure.code is errors.FORBIDDEN
        assert (failure.cause, failure.status) == ("no", 403)


@pytest.mark.parametrize(
    ("problem", "meant"),
    [
        (auth_errors.DefaultCredentialsError("none"), errors.CLOUD_CREDENTIALS_MISSING),
        (auth_errors.MalformedError("x"), errors.CLOUD_CREDENTIALS_MISSING),
        (auth_errors.RefreshError("invalid_grant"), errors.CLOUD_CREDENTIALS_REJECTED),
        (auth_errors.TransportError("no route"), codes.GCP_UNREACHABLE),
        (auth_errors.TimeoutError("30 s"), codes.GCP_UNREACHABLE),
        (requests.exceptions.ConnectionError("refused"), codes.GCP_UNREACHABLE),
        (requests.exceptions.ReadTimeout("30 s"), codes.GCP_UNREACHABLE),
        (storage_errors.DataCorruption(None, "checksum"), codes.GCP_FAILED),
        (api_errors.RetryError("no more", None), codes.GCP_FAILED),
        (api_errors.TooManyRequests("slow down"), codes.GCP_THROTTLED),
    ],
)
def test_what_is_raised_means(problem: Exception, meant: errors.ErrorCode) -> None:
    assert isinstance(problem, failures.RAISED)
    failure = failures.of_sdk(problem, "storage.buckets.get", ASKER)
    assert failure.code is meant
    assert failure.fix
    assert failures.word_for(problem) in ("429", type(problem).__name__)


def test_whatever_the_sdks_raise_is_mapped() -> None:
    """No error of theirs passes: all roots are caught where calls are made."""
    raised = {
        found
        for module in (api_errors, auth_errors, storage_errors)
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Exception)
    }
    others = {found for found in raised if not issubclass(found, failures.RAISED)}
    # Of clients and calls that are not used here, and parents for an older package's sake.
    assert others <= {
        api_errors.AsyncRestUnsupportedParameterError,
        storage_errors.DataCorruptionDynamicParent,
        storage_errors.InvalidPathError,
        storage_errors.InvalidResponseDynamicParent,
    }


def test_an_account_that_one_may_not_act_as() -> None:
    problem = auth_errors.RefreshError(  # type: ignore[no-untyped-call]
        "Unable to acquire impersonated credentials", '{"error": "denied"}'
    )
    asker = Asker(impersonated="automation@demo")
    failure = failures.of_sdk(problem, "a token", asker)
    assert failure.code is errors.CLOUD_CREDENTIALS_REJECTED
    assert "automation@demo" in failure.message
    assert failure.cause == '{"error": "denied"}'
    assert "roles/iam.serviceAccountTokenCreator" in failure.fix


@pytest.mark.parametrize(
    ("project", "email"),
    [
        ("demo", "op@demo.iam.gserviceaccount.com"),
        ("example.com:demo", "op@demo.example.com.iam.gserviceaccount.com"),
    ],
)
def test_an_email_tells_its_project(project: str, email: str) -> None:
    assert email_of("op", project) == email
    assert project_of(email) == project


def test_other_emails_of_googles() -> None:
    assert project_of("418205339162-compute@developer.gserviceaccount.com") == "418205339162"
    assert project_of("demo@appspot.gserviceaccount.com") == ""


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"[1]", "holds no JSON object"), (b"\xff\xfe", "decode"), (b"", "Expecting value")],
)
def test_a_key_file_that_is_none(
    content: bytes, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.json"
    file.write_bytes(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(CloudFailure, match=why) as refused:
        _ = Session(Run(), "demo").credentials
    assert refused.value.code is errors.CLOUD_CREDENTIALS_MISSING
    assert str(file) in refused.value.cause


def test_a_folder_is_no_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))
    with pytest.raises(CloudFailure, match="Is a directory"):
        default_project()
