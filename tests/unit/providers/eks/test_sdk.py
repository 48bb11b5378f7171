"""The SDK's package: errors in our words, nothing of AWS spelled out."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from botocore import exceptions as botocore_errors
from botocore.session import get_session

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.eks import codes
from anyscale_k8s_cli.providers.eks.sdk import failures
from anyscale_k8s_cli.providers.eks.sdk.failures import Asker
from anyscale_k8s_cli.providers.eks.sdk.regions import known_regions

ASKER = Asker("arn:x:iam::1:user/me", "sso", "work")


def answer(code: str, message: str = "because", operation: str = "HeadBucket") -> errors.CliError:
    response = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "r-1"},
    }
    problem = botocore_errors.ClientError(response, operation)  # type: ignore[arg-type]
    return failures.of_answer(problem, "s3", ASKER)


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        *((code, errors.CLOUD_CREDENTIALS_REJECTED) for code in sorted(failures.EXPIRED)),
        *((code, errors.CLOUD_CREDENTIALS_REJECTED) for code in sorted(failures.REJECTED)),
        *((code, errors.CLOUD_CREDENTIALS_REJECTED) for code in sorted(failures.CLOCK)),
        *((code, errors.FORBIDDEN) for code in sorted(failures.DENIED)),
        *((code, codes.AWS_THROTTLED) for code in sorted(failures.THROTTLED)),
        ("MalformedPolicyDocument", codes.AWS_FAILED),
        ("", codes.AWS_FAILED),
    ],
)
def test_what_a_code_means(code: str, meant: errors.ErrorCode) -> None:
    problem = answer(code)
    assert problem.code is meant
    assert "request id r-1" in problem.evidence


def test_a_denial_names_principal_and_action() -> None:
    problem = answer("403", "Forbidden")
    assert problem.message == "arn:x:iam::1:user/me may not s3:ListBucket"
    assert "s3:ListBucket" in problem.fix


def test_expired_credentials_say_how_to_renew_them() -> None:
    assert answer("ExpiredToken").fix == "aws sso login --profile work"


def test_a_wrong_clock_is_not_wrong_credentials() -> None:
    problem = answer("SignatureDoesNotMatch", "Signature expired: 20200101T000000Z")
    assert "clock" in problem.fix


@pytest.mark.parametrize(
    ("problem", "meant"),
    [
        (botocore_errors.NoCredentialsError(), errors.CLOUD_CREDENTIALS_MISSING),
        (botocore_errors.ProfileNotFound(profile="x"), errors.CLOUD_CREDENTIALS_MISSING),
        (
            botocore_errors.PartialCredentialsError(provider="env", cred_var="x"),
            errors.CLOUD_CREDENTIALS_MISSING,
        ),
        (botocore_errors.UnauthorizedSSOTokenError(), errors.CLOUD_CREDENTIALS_REJECTED),
        (
            botocore_errors.TokenRetrievalError(provider="sso", error_msg="x"),
            errors.CLOUD_CREDENTIALS_REJECTED,
        ),
        (
            botocore_errors.EndpointConnectionError(endpoint_url="x", error="x"),
            codes.AWS_UNREACHABLE,
        ),
        (botocore_errors.ReadTimeoutError(endpoint_url="x", error="x"), codes.AWS_UNREACHABLE),
        (
            botocore_errors.ProxyConnectionError(proxy_url="x", error="x"),
            codes.AWS_UNREACHABLE,
        ),
        (botocore_errors.SSLError(endpoint_url="x", error="x"), codes.AWS_UNREACHABLE),
        (botocore_errors.ParamValidationError(report="x"), codes.AWS_FAILED),
    ],
)
def test_what_no_answer_means(
    problem: botocore_errors.BotoCoreError, meant: errors.ErrorCode
) -> None:
    assert failures.of_sdk(problem, "s3", ASKER).code is meant


def test_whatever_the_sdk_raises_is_mapped() -> None:
    """No error of the SDK passes: both roots of its errors are caught where calls are made."""
    roots = (botocore_errors.BotoCoreError, botocore_errors.ClientError)
    raised = {
        found
        for found in vars(botocore_errors).values()
        if isinstance(found, type) and issubclass(found, Exception)
    }
    others = {found for found in raised if not issubclass(found, roots)}
    # Warnings, and defects of the SDK's own models.
    assert {found.__name__ for found in others} <= {
        "ImminentRemovalWarning",
        "MissingServiceIdError",
        "UndefinedModelAttributeError",
        "UnsupportedTLSVersionWarning",
    }


def production() -> dict[str, str]:
    folder = files("anyscale_k8s_cli.providers.eks")
    found = {}
    pending = [folder]
    while pending:
        for item in pending.pop().iterdir():
            if item.is_dir():
                pending.append(item)
            elif item.name.endswith(".py"):
                found[str(item)] = item.read_text(encoding="utf-8")
    return found


def test_no_partition_suffix_or_region_is_spelled_out() -> None:
    session = get_session()
    partitions = session.get_available_partitions()
    regions = {
        region for name in partitions for region in session.get_available_regions("eks", name)
    }
    words = [re.escape(f"arn:{name}:") for name in partitions]
    # Before a slash it is the name of an API group of Kubernetes, everywhere the same.
    # So is the name by which EKS Pod Identity is trusted:
    # https://docs.amazonaws.cn/en_us/eks/latest/userguide/pod-id-role.html
    words += [r"(?<!\bpods\.eks\.)amazonaws\.com(?!/)", *map(re.escape, regions)]
    spelled = re.compile("|".join(words))
    sources = production()
    assert len(sources) > 20
    for path, text in sources.items():
        assert not spelled.search(text), path


def test_only_the_sdk_package_imports_the_sdk() -> None:
    imports = re.compile(r"^\s*(import|from) (boto3|botocore|mypy_boto3)", re.MULTILINE)
    for path, text in production().items():
        if "/sdk/" not in path.replace("\\", "/"):
            assert not imports.search(text), path


def test_regions_are_known_whatever_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    known_regions.cache_clear()
    assert "us-west-2" in known_regions()
