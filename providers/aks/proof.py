"""Proof by use: the identity of pods become as they would, for the blobs; the operator's
for Anyscale too."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import OPERATOR, Holder
from anyscale_k8s_cli.object_storage import Contradiction, Objects, round_trip
from anyscale_k8s_cli.providers.aks import bucket_access, codes
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.bucket_access import Ends
from anyscale_k8s_cli.providers.azureblob import codes as azure_codes
from anyscale_k8s_cli.providers.azureblob import trust
from anyscale_k8s_cli.providers.azureblob.sdk import blobs
from anyscale_k8s_cli.providers.azureblob.sdk.blobs import Blobs
from anyscale_k8s_cli.providers.azureblob.sdk.identities import EXCHANGE_AUDIENCE, Trust
from anyscale_k8s_cli.providers.azureblob.trust import Place
from anyscale_k8s_cli.resource import Resource

T = TypeVar("T")

# Entra's numbers: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_NO_APPLICATION = "AADSTS700016"
_NEW_TRUST = "AADSTS70021"
_NO_ISSUER = "AADSTS700211"
NO_SUCH_RESOURCE = "AADSTS500011"
NO_CONSENT = "AADSTS65001"
_NO_RESOURCE = (NO_SUCH_RESOURCE, "AADSTS650057")
_NOT_TRUSTED = (_NEW_TRUST, _NO_ISSUER, "AADSTS700212", "AADSTS700213", "AADSTS7002138")
# Seconds. How long what was just written may not be in force yet; what lasts is told then.
SHOWN_WITHIN = 20.0
_RIGHTS = {
    "put": blobs.WRITE,
    "get": blobs.READ,
    "list": blobs.READ,
    "delete": blobs.DELETE,
}


@dataclass(frozen=True)
class Proof:
    """Implements :class:`~anyscale_k8s_cli.cloud_side.IdentityProof`.

    `patience` is how long, in seconds, Azure may take to let the identity be used.
    """

    azure: Azure
    place: Place
    ends: Ends
    storage: Resource[Storage]
    container: str
    patience: float
    holder: Holder = OPERATOR

    def __call__(self, token: Callable[[str], str]) -> Sequence[str]:
        given = token(EXCHANGE_AUDIENCE)
        claimed = Claimed.of(given)
        identity = self.ends.identity.output
        audience = self.ends.output().audience or blobs.AUDIENCE
        credential = self.azure.session.federated(identity.tenant_id, identity.client_id, given)
        self._become(claimed, lambda: self.azure.session.token(audience, credential), audience)
        found = self.storage.output
        self._use(Blobs(self.azure.session, found.endpoint, self.container, credential))
        towards = ", also towards Anyscale" if self.holder is OPERATOR else ""
        return (
            f"proven: {claimed.subject} can act as {self.place.name}{towards}",
            f"proven: that identity can put, get, list and delete in {found.url}",
        )

    # -- the identity ----------------------------------------------------------------

    def _become(self, claimed: Claimed, call: Callable[[], T], audience: str) -> T:
        started = time.monotonic()

        def worth_repeating(problem: BaseException) -> bool:
            if not isinstance(problem, CloudFailure):
                return False
            if problem.api_code in _NO_RESOURCE:
                raise without_anyscale(problem, audience) from problem
            if problem.api_code == _NO_APPLICATION:
                self._raise_if_gone(time.monotonic() - started)
                return True
            if problem.api_code in _NOT_TRUSTED:
                self._raise_if_not_trusted(claimed, problem)
                return True
            return False

        try:
            return self.azure.run.retry(
                call,
                retriable=worth_repeating,
                what=f"{self.place.name} to be usable",
                timeout=self.patience,
            )
        except CloudFailure as failure:
            if failure.api_code not in (*_NOT_TRUSTED, _NO_APPLICATION):
                raise
            raise errors.CliError(
                codes.IDENTITY_NOT_USABLE,
                f"{self.place.name} could not be used within {self.patience:.0f} s",
                cause=failure.cause,
                evidence=failure.evidence,
                fix="Entra has not spread what was written, as it seems: run the same command "
                "again in a few minutes",
            ) from failure

    def _raise_if_gone(self, seconds: float) -> None:
        if self.azure.identities.get(self.place.group, self.place.name) is not None:
            return
        if seconds < min(SHOWN_WITHIN, self.patience / 2):
            return
        raise errors.CliError(
            codes.IDENTITY_MISSING,
            f"There is no managed identity {self.place.name}",
            cause=f"the resource group {self.place.group} does not have it any more",
            fix="run setup again: it makes the identity anew",
        )

    def _raise_if_not_trusted(self, claimed: Claimed, problem: CloudFailure) -> None:
        """Raise when what is written does not fit the token; else it is only not in force yet."""
        trusts = self.azure.identities.trusts(self.place.group, self.place.name).values()
        fitting = [item for item in trusts if item.issuer == claimed.issuer]
        if any(
            item.subject == claimed.subject and EXCHANGE_AUDIENCE in item.audiences
            for item in fitting
        ):
            return
        if not trusts:
            self._raise_if_gone(SHOWN_WITHIN + self.patience)
        near = [item for item in trusts if item.issuer.rstrip("/") == claimed.issuer.rstrip("/")]
        command = trust.command(
            self.place, self.holder.account, Trust(claimed.issuer, claimed.subject)
        )
        fix = f"run setup again: it writes the trust anew; for an identity of yours: {command}"
        if fitting:
            raise errors.CliError(
                codes.SUBJECT_MISMATCH,
                f"{self.place.name} does not trust {claimed.subject}",
                cause="it trusts the cluster, but there only "
                + ", ".join(sorted({item.subject for item in fitting})),
                evidence=(problem.cause,),
                fix=fix,
            )
        cause = (
            f"it trusts {near[0].issuer}: an issuer is compared letter by letter, the slash at "
            "its end too"
            if near
            else "it trusts " + (", ".join(sorted({i.issuer for i in trusts})) or "nobody")
        )
        raise errors.CliError(
            codes.ISSUER_MISMATCH,
            f"{self.place.name} does not trust the cluster's issuer {claimed.issuer}",
            cause=cause,
            evidence=(problem.cause,),
            fix=fix,
        )

    # -- the container -----------------------------------------------------------------

    def _use(self, objects: Objects) -> None:
        try:
            round_trip(objects, self._step)
        except Contradiction as wrong:
            raise errors.CliError(
                errors.BUCKET_DENIED, f"a blob of {self.container} {wrong}"
            ) from wrong

    def _step(self, verb: str, call: Callable[[], T]) -> T:
        started = time.monotonic()

        def worth_repeating(problem: BaseException) -> bool:
            if not isinstance(problem, CloudFailure):
                return False
            seconds = time.monotonic() - started
            if problem.code is azure_codes.AZURE_UNREACHABLE:
                # Not every name server knows a new account's name at once.
                return seconds < SHOWN_WITHIN
            if problem.denied:
                self._raise_if_no_role(problem, seconds)
            return problem.denied

        try:
            return self.azure.run.retry(
                call,
                retriable=worth_repeating,
                what=f"{self.ends.role.name} on {self.ends.account} to be in force",
                timeout=self.patience,
            )
        except CloudFailure as failure:
            if failure.status == 404:
                raise self._without_container(failure) from failure
            if not failure.denied:
                raise
            raise self._denied(verb, failure) from failure

    def _raise_if_no_role(self, problem: CloudFailure, seconds: float) -> None:
        if seconds < min(SHOWN_WITHIN, self.patience / 2):
            return
        account, identity = self.ends.account_id(), self.ends.identity.output
        if not bucket_access.missing(self.azure, account, self.container, identity.principal_id):
            return
        raise errors.CliError(
            codes.ASSIGNMENT_MISSING,
            f"{self.place.name} has no role on the blobs of {self.ends.account}",
            cause=problem.cause,
            evidence=problem.evidence,
            fix="run setup again: it assigns the role anew; or "
            + bucket_access.command(self.ends.scope(), identity.principal_id, self.ends.role.name),
        )

    def _denied(self, verb: str, failure: CloudFailure) -> errors.CliError:
        if failure.api_code == "AuthorizationPermissionMismatch":
            return errors.CliError(
                codes.ASSIGNMENT_NOT_IN_FORCE,
                f"The role of {self.place.name} on {self.ends.account} is not in force after "
                f"{self.patience:.0f} s",
                cause="it is assigned, but storage does not know it yet; that can take ten minutes",
                evidence=failure.evidence,
                fix="run the same command again in a few minutes",
            )
        return errors.CliError(
            errors.BUCKET_DENIED,
            f"{self.place.name} may not {verb} in the container {self.container} of "
            f"{self.ends.account} ({_RIGHTS[verb]})",
            cause=failure.cause,
            evidence=failure.evidence,
            fix="look at the account's firewall, from here too, and at the policies of your "
            "company",
        )

    def _without_container(self, failure: CloudFailure) -> errors.CliError:
        return errors.CliError(
            errors.BUCKET_MISSING,
            f"There is no container {self.container} in {self.ends.account}",
            evidence=failure.evidence,
            fix="run setup again: it makes the container anew",
        )


def application_of(audience: str) -> str:
    """The id of the application that tokens are for, as `az` takes it."""
    return audience.removesuffix("/.default").removeprefix("api://")


def without_anyscale(problem: CloudFailure, audience: str) -> errors.CliError:
    """The error for a directory that nobody has let Anyscale into."""
    application = application_of(audience)
    return errors.CliError(
        codes.ANYSCALE_NOT_IN_TENANT,
        f"Your directory does not know Anyscale's application {application}",
        cause="it is let in once per tenant, by somebody who may add applications",
        evidence=(problem.cause,),
        fix=f"az ad sp create --id {application}",
    )
