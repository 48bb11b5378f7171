"""What an error of AWS means, in our own error codes."""

from __future__ import annotations

from dataclasses import dataclass

from botocore import exceptions as botocore_errors

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.eks import codes
from anyscale_k8s_cli.providers.eks.sdk.actions import action

# Codes that mean the same, as the services spell them.
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
REJECTED = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
CLOCK = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
# 403 is what botocore makes of the answer to a HEAD, which has no body.
DENIED = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "Forbidden",
        "OperationNotPermitted",
        "UnauthorizedOperation",
    }
)
THROTTLED = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_SIGNED_AT_ANOTHER_TIME = ("Signature expired", "Signature not yet current")
# Nobody signs these: who calls is in the token.
_UNSIGNED = frozenset({"AssumeRoleWithWebIdentity"})
_AGAIN = "run the same command again to go on"


@dataclass(frozen=True)
class Asker:
    """On whose behalf a call was made, for the message. `source` is where the keys came from."""

    principal: str = ""
    source: str = ""
    profile: str = ""

    @property
    def renewal(self) -> str:
        """What a person types to have fresh keys."""
        if "sso" in self.source:
            return "aws sso login" + (f" --profile {self.profile}" if self.profile else "")
        where = {
            "env": "the AWS_… variables of this shell",
            "shared-credentials-file": "the AWS credentials file",
        }.get(self.source, "your AWS credentials")
        return f"renew {where}, then {_AGAIN}"


def of_answer(problem: botocore_errors.ClientError, service: str, asker: Asker) -> CloudFailure:
    """The failure that an error answer stands for."""
    response = problem.response
    code = str(response.get("Error", {}).get("Code", ""))
    text = str(response.get("Error", {}).get("Message", ""))
    metadata = response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    request_id = metadata.get("RequestId", "")
    what = f"{service}:{problem.operation_name}"
    evidence: tuple[str, ...] = (f"{what} answered {status} {code}",)
    if request_id:
        evidence += (f"request id {request_id}",)

    def failure(kind: errors.ErrorCode, message: str, cause: str, fix: str) -> CloudFailure:
        return CloudFailure(
            kind,
            message,
            cause,
            evidence,
            fix,
            api_code=code,
            status=status,
            denied=code in DENIED,
        )

    if code in EXPIRED:
        return failure(
            errors.CLOUD_CREDENTIALS_REJECTED,
            "Your AWS credentials have expired",
            text or code,
            asker.renewal,
        )
    if code in CLOCK or text.startswith(_SIGNED_AT_ANOTHER_TIME):
        return failure(
            errors.CLOUD_CREDENTIALS_REJECTED,
            "AWS does not accept the time of this machine",
            text or code,
            "set this machine's clock",
        )
    if code in REJECTED:
        return failure(
            errors.CLOUD_CREDENTIALS_REJECTED,
            "AWS does not accept your credentials",
            text or code,
            f"check them with `aws sts get-caller-identity`, or {asker.renewal}; in a region "
            "that must be enabled first, enable it for the account",
        )
    if code in DENIED:
        needed = action(service, problem.operation_name)
        who = asker.principal or "your AWS principal"
        if problem.operation_name in _UNSIGNED:
            who = "the bearer of the service account's token"
        return failure(
            errors.FORBIDDEN,
            f"{who} may not {needed}",
            text if text and text not in (code, "Forbidden") else "AWS denies it",
            f"have {needed} allowed; `anyscale cloud permissions --provider eks` prints the "
            "whole policy",
        )
    if code in THROTTLED:
        return failure(
            codes.AWS_THROTTLED, f"AWS takes no more calls of {what} for now", text, _AGAIN
        )
    return failure(codes.AWS_FAILED, f"{what} failed", f"{code}: {text}", _AGAIN)


def of_sdk(problem: botocore_errors.BotoCoreError, service: str, asker: Asker) -> CloudFailure:
    """The failure of a call that got no answer, or was never sent."""
    text = " ".join(str(problem).split())
    if isinstance(problem, botocore_errors.ProfileNotFound):
        return CloudFailure(
            errors.CLOUD_CREDENTIALS_MISSING,
            "There is no such AWS profile",
            text,
            fix="see `aws configure list-profiles` and give --aws-profile",
        )
    if isinstance(problem, botocore_errors.InvalidRegionError):
        return CloudFailure(
            errors.INVALID_SPEC, "--region: that is no region of AWS", text, fix="correct --region"
        )
    if isinstance(
        problem,
        botocore_errors.SSOError
        | botocore_errors.TokenRetrievalError
        | botocore_errors.NoAuthTokenError,
    ):
        profile = f" --profile {asker.profile}" if asker.profile else ""
        return CloudFailure(
            errors.CLOUD_CREDENTIALS_REJECTED,
            "Your AWS sign-in has ended",
            text,
            fix=f"aws sso login{profile}",
        )
    if isinstance(problem, _NO_CREDENTIALS):
        return CloudFailure(
            errors.CLOUD_CREDENTIALS_MISSING,
            "There are no usable AWS credentials",
            text,
            fix="log in with `aws configure` or `aws sso login`, or give --aws-profile",
        )
    if isinstance(problem, botocore_errors.HTTPClientError | botocore_errors.ConnectionError):
        return CloudFailure(
            codes.AWS_UNREACHABLE,
            f"AWS ({service}) cannot be reached from here",
            text,
            fix="check the network, HTTPS_PROXY and AWS_CA_BUNDLE, and that --region is right",
        )
    return CloudFailure(codes.AWS_FAILED, f"A call to AWS ({service}) was not made", text)


_NO_CREDENTIALS = (
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.CredentialRetrievalError,
    botocore_errors.ConfigNotFound,
    botocore_errors.ConfigParseError,
    botocore_errors.InvalidConfigError,
    botocore_errors.UnknownCredentialError,
    botocore_errors.RefreshWithMFAUnsupportedError,
    botocore_errors.MetadataRetrievalError,
)
