"""AWS: a role whose trust names an IAM OIDC provider of the cluster's issuer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.object_storage import BucketProof
from anyscale_k8s_cli.providers.federation.proof import SETTLED_WITHIN, Refused, denied_to
from anyscale_k8s_cli.providers.objectstore.probe import BucketObjects
from anyscale_k8s_cli.providers.objectstore.sdk import sts
from anyscale_k8s_cli.providers.objectstore.sdk.client import ABSENT, S3
from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.templates import load_json

ROLE_ARN = re.compile(r"arn:([\w-]+):iam::(\d{12}|[\w-]*):role/(?:.*/)?[\w+=,.@-]+")


def default_audience(role_arn: str) -> str:
    return sts.audience(role_arn.split(":")[1])


@dataclass(frozen=True)
class WebIdentityProof:
    """Implements :class:`~anyscale_k8s_cli.cloud_side.IdentityProof`: the role is assumed with a
    token of the operator's service account, and the bucket used. `patience` is in seconds."""

    run: Run
    store: S3Store
    role_arn: str
    bucket: str
    audience: str
    patience: float = SETTLED_WITHIN

    def __call__(self, token: Callable[[str], str]) -> Sequence[str]:
        current = token(self.audience)
        claimed = Claimed.of(current)
        keys = self._assume(current, claimed)
        self._bucket()(BucketObjects(S3(self.run, self.store, lambda: keys), self.bucket))
        return (
            f"proven: {claimed.subject} can assume the role {self.role_arn}",
            f"proven: that role can put, get, list and delete in s3://{self.bucket}",
        )

    def _assume(self, token: str, claimed: Claimed) -> S3Keys:
        try:
            return self.run.retry(
                lambda: sts.assume_with_token(self.run, self.store, self.role_arn, token),
                retriable=lambda problem: (
                    isinstance(problem, CloudFailure) and problem.api_code == "AccessDenied"
                ),
                what=f"{self.role_arn} to be assumable",
                timeout=self.patience,
            )
        except CloudFailure as failure:
            if not failure.denied:
                raise
            raise Refusal(self.role_arn, self.audience, claimed, failure).error from failure

    def _bucket(self) -> BucketProof:
        fix = (
            "let the role's policies allow s3:ListBucket on the bucket, and s3:GetObject, "
            "s3:PutObject and s3:DeleteObject on what is in it"
        )
        return BucketProof(
            self.run,
            self.bucket,
            self.patience,
            denied_to(self.role_arn, self.bucket, fix),
            missing=lambda failure: failure.api_code in ABSENT,
        )


@dataclass(frozen=True)
class Refusal:
    """What the role's owner has to do, by what STS said."""

    role_arn: str
    audience: str
    claimed: Claimed
    failure: CloudFailure

    @property
    def error(self) -> errors.CliError:
        refused = Refused(
            f"The role {self.role_arn}", self.claimed, self.failure.cause, self.failure.evidence
        )
        return refused.error(self._fix)

    @property
    def _fix(self) -> str:
        said = self.failure.cause.lower()
        if "no openidconnect provider" in said:
            return (
                f"let the owner of the account make IAM's OIDC provider {self._provider}: "
                f"URL {self.claimed.issuer}, client id {self.audience}; and let the trust policy "
                f"of the role have the statement {self.statement}"
            )
        if "audience" in said:
            return (
                f"add the client id {self.audience} to IAM's OIDC provider {self._provider}, or "
                "say in the file (existing.identity_audience) which one it admits"
            )
        if "verification key" in said:
            return (
                f"see that {self.claimed.issuer} can be read from the internet, with the keys "
                "that the cluster signs with"
            )
        if "expired" in self.failure.api_code.lower():
            return "check the clock of the cluster's control plane"
        return f"add to the role's trust policy the statement {self.statement}"

    @property
    def statement(self) -> str:
        found = load_json(
            "federation/aws-trust-statement.json",
            {
                "provider_arn": self._provider,
                "issuer": self._issuer,
                "subject": self.claimed.subject,
                "audience": self.audience,
            },
        )
        return json.dumps(found)

    @property
    def _issuer(self) -> str:
        return self.claimed.issuer.removeprefix("https://")

    @property
    def _provider(self) -> str:
        partition, account = self.role_arn.split(":")[1], self.role_arn.split(":")[4]
        return f"arn:{partition}:iam::{account}:oidc-provider/{self._issuer}"
