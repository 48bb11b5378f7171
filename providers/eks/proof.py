"""Proof by use: the operator's role assumed with its service account's token, the bucket used."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.object_storage import BucketProof
from anyscale_k8s_cli.providers.eks import codes, denials, trust
from anyscale_k8s_cli.providers.eks.arns import Arn
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.sdk.failures import EXPIRED
from anyscale_k8s_cli.providers.eks.sdk.objects import ABSENT
from anyscale_k8s_cli.providers.eks.sdk.session import TemporaryKeys

# What STS answers while a role or a provider is on its way to it, and also when
# it is wrong: the two are told apart by looking.
_PROPAGATING = frozenset({"AccessDenied", "InvalidIdentityToken", "IDPCommunicationError"})
# Seconds. How long IAM itself may not show what was just made, and S3 may deny a role
# whose policy was just written: what lasts is told within half a minute.
SHOWN_WITHIN = 20.0
BUCKET_SECONDS = 25.0
SESSION_NAME = "anyscale-k8s-cli-proof"


_ACTIONS = {
    "put": "PutObject",
    "get": "GetObject",
    "list": "ListBucket",
    "delete": "DeleteObject",
}


@dataclass(frozen=True)
class Proof:
    """Implements :class:`~anyscale_k8s_cli.cloud_side.IdentityProof`.

    `role_arn` and `bucket` are asked when the proof is made. `patience` is how
    long, in seconds, IAM may take to let the role be assumed.
    """

    aws: Aws
    role_arn: Callable[[], str]
    bucket: str
    patience: float

    def __call__(self, token: Callable[[str], str]) -> Sequence[str]:
        role_arn = self.role_arn()
        first = token(self.aws.audience)
        claimed = Claimed.of(first)
        keys = self._assume(role_arn, first, token, claimed)
        self._bucket(role_arn)(self.aws.objects_as(role_arn, keys, self.bucket))
        account = claimed.subject.rpartition(":")[2]
        return (
            f"proven: service account {account} can assume the role {Arn.parse(role_arn).name}",
            f"proven: that role can put, get, list and delete in s3://{self.bucket}",
        )

    # -- the role ---------------------------------------------------------------

    def _assume(
        self, role_arn: str, first: str, token: Callable[[str], str], claimed: Claimed
    ) -> TemporaryKeys:
        current = [first]
        renewed = [False]
        started = time.monotonic()

        def attempt() -> TemporaryKeys:
            return self.aws.sts.assume_with_token(role_arn, current[0], SESSION_NAME)

        def worth_repeating(problem: BaseException) -> bool:
            if not isinstance(problem, CloudFailure):
                return False
            if problem.api_code in EXPIRED and not renewed[0]:
                current[0], renewed[0] = token(self.aws.audience), True
                return True
            if problem.api_code not in _PROPAGATING:
                return False
            self._raise_if_lasting(role_arn, claimed, time.monotonic() - started)
            return True

        try:
            return self.aws.run.retry(
                attempt,
                retriable=worth_repeating,
                what=f"{role_arn} to be assumable",
                timeout=self.patience,
            )
        except CloudFailure as failure:
            raise self._not_assumable(role_arn, claimed, failure) from failure

    def _raise_if_lasting(self, role_arn: str, claimed: Claimed, seconds: float) -> None:
        """Raise when the refusal will not pass by itself."""
        provider_arn = self.aws.caller.oidc_provider(claimed.issuer)
        provider = self.aws.iam.oidc_provider(provider_arn)
        role = self.aws.iam.role(Arn.parse(role_arn).name)
        if provider is None and seconds > min(SHOWN_WITHIN, self.patience / 2):
            raise errors.CliError(
                codes.OIDC_PROVIDER_MISSING,
                f"IAM has no OIDC provider for the cluster's issuer {claimed.issuer}",
                cause="without it no service account of the cluster can assume a role",
                fix="run setup again with --oidc-provider create",
            )
        if role is None and seconds > min(SHOWN_WITHIN, self.patience / 2):
            raise errors.CliError(
                codes.ROLE_MISSING,
                f"There is no role {role_arn}",
                fix="run setup again: it makes the role anew",
            )
        if provider is None or role is None:
            return
        if not provider.client_ids & set(claimed.audiences):
            raise errors.CliError(
                codes.OIDC_AUDIENCE_MISSING,
                f"{provider_arn} does not admit tokens made for {', '.join(claimed.audiences)}",
                evidence=(f"client ids: {', '.join(sorted(provider.client_ids)) or 'none'}",),
                fix="aws iam add-client-id-to-open-id-connect-provider "
                f"--open-id-connect-provider-arn {provider_arn} --client-id {self.aws.audience}",
            )
        bearer = trust.TokenBearer(provider_arn, claimed.issuer, claimed.subject, self.aws.audience)
        found = trust.admission(role.trust, bearer)
        if not found.admitted:
            raise errors.CliError(
                codes.TRUST_MISMATCH,
                f"The trust policy of {role_arn} does not admit the operator",
                cause=f"the token's subject is {claimed.subject} and its audience "
                f"{', '.join(claimed.audiences)}, its issuer's provider {provider_arn}",
                evidence=found.evidence,
                fix="run setup again: it writes the trust policy anew; in a role of yours, "
                "admit that subject and audience",
            )

    def _not_assumable(
        self, role_arn: str, claimed: Claimed, failure: CloudFailure
    ) -> errors.CliError:
        if failure.api_code in EXPIRED:
            return errors.CliError(
                codes.ROLE_NOT_ASSUMABLE,
                f"{role_arn} cannot be assumed: a fresh token counts as expired",
                cause=failure.cause,
                evidence=failure.evidence,
                fix="check the clock of the cluster's control plane and of this machine",
            )
        if failure.api_code not in _PROPAGATING:
            return failure
        return errors.CliError(
            codes.ROLE_NOT_ASSUMABLE,
            f"{role_arn} could not be assumed within {self.patience:.0f} s",
            cause=failure.cause or "STS denies it, although provider and trust policy are right",
            evidence=failure.evidence,
            fix="look for a rule of your organisation on sts:AssumeRoleWithWebIdentity, "
            "then run the same command again",
        )

    # -- the bucket ---------------------------------------------------------------

    def _bucket(self, role_arn: str) -> BucketProof:
        def denied(verb: str, failure: CloudFailure) -> errors.CliError:
            boundary = self._boundary(role_arn)
            return errors.CliError(
                errors.BUCKET_DENIED,
                f"{role_arn} may not s3:{_ACTIONS[verb]} in the bucket {self.bucket}",
                cause=failure.cause,
                evidence=(
                    *failure.evidence,
                    *([f"the role's permissions boundary: {boundary}"] if boundary else ()),
                ),
                fix=denials.advice(failure, role_arn, self.bucket, boundary),
            )

        return BucketProof(
            self.aws.run,
            self.bucket,
            min(BUCKET_SECONDS, self.patience),
            denied,
            missing=lambda failure: failure.api_code in ABSENT,
            refused=lambda failure: failure.denied or failure.api_code.startswith(denials.KMS),
        )

    def _boundary(self, role_arn: str) -> str:
        """What bounds the role, besides its own policies; empty where that is not to be seen."""
        try:
            role = self.aws.iam.role(Arn.parse(role_arn).name)
        except CloudFailure:
            return ""
        return (role.boundary or "") if role else ""
