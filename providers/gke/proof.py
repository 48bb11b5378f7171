"""Proof by use: the account of pods acted as the way they would, the bucket used."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import OPERATOR, Holder
from anyscale_k8s_cli.object_storage import BucketProof
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.providers.gcs.sdk.failures import ABSENT, DENIED, NO_SUCH_POOL
from anyscale_k8s_cli.providers.gcs.sdk.policy import Grant, member_of
from anyscale_k8s_cli.providers.gke import codes, discovery, policies
from anyscale_k8s_cli.providers.gke.discovery import GkeFacts
from anyscale_k8s_cli.providers.gke.google import Google, may_see
from anyscale_k8s_cli.providers.gke.sdk.iam import UNSEEN, project_of

T = TypeVar("T")

# Any will do: nobody is shown the token.
_AUDIENCE = "https://anyscale-k8s-cli.invalid"
# Seconds. How long what was just written may not be in force yet; what lasts is told then.
SHOWN_WITHIN = 20.0
_ACTIONS = {
    "put": "storage.objects.create",
    "get": "storage.objects.get",
    "list": "storage.objects.list",
    "delete": "storage.objects.delete",
}


@dataclass(frozen=True)
class Proof:
    """Implements :class:`~anyscale_k8s_cli.cloud_side.IdentityProof`.

    `patience` is how long, in seconds, IAM may take to let the account be used.
    """

    google: Google
    cluster: Cluster
    email: str
    bucket: str
    patience: float
    holder: Holder = OPERATOR

    def __call__(self, token: Callable[[str], str]) -> Sequence[str]:
        facts: GkeFacts = self.cluster.facts
        given = token(facts.workload_pool)
        claimed = Claimed.of(given)
        federated = self._exchanged(given, claimed.issuer)
        namespace = claimed.subject.split(":")[2]
        twin = policies.twin_of(facts.workload_pool, namespace, self.holder)
        access = self._wait(
            lambda: self.google.credentials.access_token(self.email, federated),
            Grant(policies.WORKLOAD_IDENTITY_USER, twin),
            codes.BINDING_MISSING,
        )
        if self.holder is OPERATOR:
            # By such a token Anyscale knows it.
            self._wait(
                lambda: self.google.credentials.id_token(self.email, access, _AUDIENCE),
                Grant(policies.TOKEN_CREATOR, member_of(self.email)),
                codes.TOKEN_CREATOR_MISSING,
            )
        proof = BucketProof(
            self.google.run,
            self.bucket,
            self.patience,
            self._denied,
            missing=lambda failure: failure.api_code == ABSENT,
        )
        proof(self.google.objects(self.bucket, access))
        return (
            f"proven: {claimed.subject} can act as {self.email}",
            f"proven: that account can put, get, list and delete in gs://{self.bucket}",
        )

    # -- the account ---------------------------------------------------------------

    def _exchanged(self, given: str, issuer: str) -> str:
        """What Google knows the Kubernetes service account by."""
        facts: GkeFacts = self.cluster.facts
        try:
            return self.google.credentials.exchange(given, facts.workload_pool, issuer)
        except CloudFailure as failure:
            if failure.api_code != NO_SUCH_POOL:
                raise
            raise errors.CliError(
                codes.WORKLOAD_IDENTITY_OFF,
                f"Google knows no service accounts of the cluster {self.cluster.name}",
                cause=failure.cause,
                evidence=failure.evidence,
                fix=discovery.switch_on_pool(self.cluster),
            ) from failure

    def _wait(self, call: Callable[[], T], grant: Grant, missing: errors.ErrorCode) -> T:
        """The call's answer once the grant is in force; raises when it is not there at all."""
        started = time.monotonic()

        def worth_repeating(problem: BaseException) -> bool:
            if not isinstance(problem, CloudFailure) or problem.api_code not in (DENIED, ABSENT):
                return False
            self._raise_if_lasting(grant, missing, time.monotonic() - started)
            return True

        try:
            return self.google.run.retry(
                call,
                retriable=worth_repeating,
                what=f"{self.email} to be usable",
                timeout=self.patience,
            )
        except CloudFailure as failure:
            if failure.api_code not in (DENIED, ABSENT):
                raise
            raise errors.CliError(
                codes.NOT_IMPERSONABLE,
                f"{self.email} could not be used within {self.patience:.0f} s",
                cause=failure.cause,
                evidence=failure.evidence,
                fix="look for a deny policy or a rule of your organization on service "
                "accounts, then run the same command again",
            ) from failure

    def _raise_if_lasting(self, grant: Grant, missing: errors.ErrorCode, seconds: float) -> None:
        """Raise when the refusal will not pass by itself.

        Who may not look at an account, which is then somebody else's, waits for the end.
        """
        account = may_see(lambda: self.google.iam.account(self.email), UNSEEN)
        if account is None:
            if seconds < min(SHOWN_WITHIN, self.patience / 2):
                return
            raise errors.CliError(
                codes.ACCOUNT_MISSING,
                f"There is no service account {self.email}",
                fix="run setup again: it makes the account anew",
            )
        if account.disabled:
            raise errors.CliError(
                codes.NOT_IMPERSONABLE,
                f"{self.email} is disabled",
                fix=f"gcloud iam service-accounts enable {self.email}",
            )
        policy = may_see(lambda: self.google.iam.policy(self.email), None)
        if policy is None or not policies.lacks((policy,), grant):
            return
        above = may_see(lambda: self.google.projects.policy(project_of(self.email)), None)
        if above is not None and not policies.lacks((above,), grant):
            return
        raise errors.CliError(
            missing,
            f"{grant.member} lacks {grant.role} on {self.email}",
            cause="somebody else wrote the account's policy in the meantime, or it is yours",
            fix="run setup again: it grants the role anew; for an account of yours: "
            f"{policies.command(self.email, grant)}",
        )

    # -- the bucket ---------------------------------------------------------------

    def _denied(self, verb: str, failure: CloudFailure) -> errors.CliError:
        return errors.CliError(
            errors.BUCKET_DENIED,
            f"{self.email} may not {_ACTIONS[verb]} in the bucket {self.bucket}",
            cause=failure.cause,
            evidence=failure.evidence,
            fix="look at the bucket's policy and the rules of your organization; setup "
            "grants the roles anew on a bucket of its own",
        )
