"""What Nebius' answers and its SDK's exceptions mean, in our words."""

from __future__ import annotations

import grpc
import pytest
from nebius.base.error import SDKError

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.nebius import codes
from anyscale_k8s_cli.providers.nebius.sdk.failures import Asker, of_answer, of_sdk

ASKER = Asker("me@example.com", "project-e00demo")


@pytest.mark.parametrize("code", [item.name for item in grpc.StatusCode if item.name != "OK"])
def test_every_word_of_the_api_is_known(code: str) -> None:
    failure = of_answer(code, "because", "iam.group.create", ASKER)
    expected = {
        "UNAUTHENTICATED": errors.CLOUD_CREDENTIALS_REJECTED,
        "PERMISSION_DENIED": errors.FORBIDDEN,
        "RESOURCE_EXHAUSTED": codes.NEBIUS_THROTTLED,
        "DEADLINE_EXCEEDED": codes.NEBIUS_UNREACHABLE,
    }
    assert failure.code is expected.get(code, codes.NEBIUS_FAILED)
    assert failure.api_code == code
    assert failure.denied == (code == "PERMISSION_DENIED")
    assert failure.fix
    assert f"iam.group.create answered {code}" in failure.evidence


def test_a_throttled_call_is_told_as_nebius_throttled() -> None:
    failure = of_answer("RESOURCE_EXHAUSTED", "slow down", "storage.bucket.get", ASKER)
    assert failure.code.slug == "nebius-throttled"


def test_a_quota_is_not_taken_for_a_busy_service() -> None:
    failure = of_answer("RESOURCE_EXHAUSTED", "too many", "iam.group.create", ASKER, quota=True)
    assert failure.code.slug == "nebius-quota-exceeded"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failed to connect to all addresses; Connection refused", codes.NEBIUS_UNREACHABLE),
        ("DNS resolution failed", codes.NEBIUS_UNREACHABLE),
        ("the service is in maintenance", codes.NEBIUS_FAILED),
    ],
)
def test_nobody_there_is_told_apart_from_somebody_who_cannot(
    text: str, expected: errors.ErrorCode
) -> None:
    assert of_answer("UNAVAILABLE", text, "iam.group.get", ASKER).code is expected


def test_what_the_sdk_raises_of_itself() -> None:
    assert of_sdk(TimeoutError(), "iam.group.get", ASKER).code is codes.NEBIUS_UNREACHABLE
    assert of_sdk(SDKError("odd"), "iam.group.get", ASKER).code is codes.NEBIUS_FAILED


def test_who_is_denied_is_named() -> None:
    failure = of_answer("PERMISSION_DENIED", "", "iam.group.create", ASKER)
    assert failure.message == "me@example.com may not iam.group.create"
    nobody = of_answer("PERMISSION_DENIED", "", "iam.group.create", Asker())
    assert nobody.message.startswith("your Nebius account")
