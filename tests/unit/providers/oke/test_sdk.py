"""What Oracle's answers and its SDK's exceptions mean, in our words."""

from __future__ import annotations

import pytest
from oci.exceptions import ClientError, RequestException, ServiceError

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.oke import codes
from anyscale_k8s_cli.providers.oke.sdk import failures
from anyscale_k8s_cli.providers.oke.sdk.failures import of_sdk


def answer(status: int, code: str) -> CloudFailure:
    return of_sdk(ServiceError(status, code, {}, "because"), "identity.CreateUser", "me")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "InvalidParameter", codes.OCI_FAILED),
        (400, "LimitExceeded", codes.OCI_LIMIT),
        (400, "QuotaExceeded", codes.OCI_LIMIT),
        (401, "NotAuthenticated", errors.CLOUD_CREDENTIALS_REJECTED),
        (403, "NotAllowed", errors.FORBIDDEN),
        (404, "NotAuthorizedOrNotFound", errors.FORBIDDEN),
        (404, "BucketNotFound", errors.FORBIDDEN),
        (409, "IncorrectState", codes.OCI_FAILED),
        (412, "NoEtagMatch", codes.OCI_FAILED),
        (429, "TooManyRequests", codes.OCI_THROTTLED),
        (500, "InternalServerError", codes.OCI_FAILED),
    ],
)
def test_what_an_answer_means(status: int, code: str, expected: errors.ErrorCode) -> None:
    failure = answer(status, code)
    assert failure.code is expected
    assert (failure.status, failure.api_code) == (status, code)
    assert failure.denied == (expected is errors.FORBIDDEN)
    assert failure.fix
    assert f"identity.CreateUser answered {status} {code}" in failure.evidence


def test_the_codes_by_name() -> None:
    slugs = [answer(400, "LimitExceeded").code.slug, answer(429, "x").code.slug]
    assert slugs == ["oci-limit-exceeded", "oci-throttled"]
    assert answer(500, "x").code.slug == "oci-failed"


@pytest.mark.parametrize("code", ["UserAlreadyExists", "BucketAlreadyExists"])
def test_what_is_there_already_is_told_apart(code: str) -> None:
    assert failures.exists(answer(409, code))
    assert not failures.exists(answer(409, "IncorrectState"))


@pytest.mark.parametrize(("status", "busy"), [(429, True), (503, True), (409, False), (401, False)])
def test_what_may_be_answered_in_a_moment(status: int, busy: bool) -> None:
    assert failures.is_busy(answer(status, "x")) is busy


def test_what_the_sdk_raises_of_itself() -> None:
    silent = of_sdk(RequestException("Connection refused"), "identity.ListUsers", "me")
    assert silent.code.slug == "oci-unreachable"
    assert silent.code is codes.OCI_UNREACHABLE
    assert failures.is_busy(silent)
    odd = of_sdk(ClientError("odd"), "identity.ListUsers", "me")
    assert odd.code is codes.OCI_FAILED


def test_who_is_denied_is_named() -> None:
    failure = answer(404, "NotAuthorizedOrNotFound")
    assert failure.message == "me may not identity.CreateUser, or what it is about is not there"
