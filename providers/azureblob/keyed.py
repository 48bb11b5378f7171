"""A storage account that is there, as an application with a client secret, or as whoever is
signed in on this machine: for clusters that are not Azure's."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.credential_kinds import AzureSecret
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.object_storage import BucketProof
from anyscale_k8s_cli.providers.azureblob import cors
from anyscale_k8s_cli.providers.azureblob.account import Account
from anyscale_k8s_cli.providers.azureblob.cors import CorsRule
from anyscale_k8s_cli.providers.azureblob.sdk import blobs
from anyscale_k8s_cli.providers.azureblob.sdk.blobs import Blobs
from anyscale_k8s_cli.providers.azureblob.sdk.service import SIGN, Service
from anyscale_k8s_cli.providers.azureblob.sdk.session import SecretSession
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session
from anyscale_k8s_cli.run import Run

# Containers and what is in them, and to sign addresses: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
ROLE = "Storage Blob Data Contributor"
_RIGHTS = {
    "put": blobs.WRITE,
    "get": blobs.READ,
    "list": blobs.READ,
    "delete": blobs.DELETE,
    "sign": SIGN,
}
Denied = Callable[[str, CloudFailure], errors.CliError]
# Seconds that a role which was just assigned may not be in force yet.
_PATIENCE = 10.0


def signed_in() -> None:
    """For whoever has no secret to say."""
    return


class KeyedAccount:
    """`region` is a label of the cluster's, which says nothing to Azure.

    The secret is asked for at the first call; without one it is whoever is signed in. Safe for
    threads.
    """

    def __init__(
        self, run: Run, account: Account, region: str, secret: Callable[[], AzureSecret | None]
    ) -> None:
        self.run = run
        self.account = account
        self._region = region
        self._secret = secret
        self._lock = threading.Lock()
        self._made: tuple[AzureSecret | None, SecretSession | Session] | None = None

    def storage(self, container: str) -> Storage:
        """A container, as the control plane and the chart want it."""
        return Storage(self.account.url(container), self._region, self.account.endpoint)

    @property
    def service(self) -> Service:
        return Service(self._session, self.account.endpoint)

    def blobs(self, container: str, credential: Any = None) -> Blobs:
        """As oneself, or as whoever an SDK's credential is of."""
        session = self._session
        proof = credential or session.credential
        return Blobs(session, self.account.endpoint, container, proof)

    # -- the account's rules -----------------------------------------------------------------

    def rules(self) -> list[CorsRule] | None:
        """None for who may not see them: a role on blobs alone does not suffice."""
        try:
            return self.service.cors()
        except CloudFailure as failure:
            if not failure.denied:
                raise
            return None

    def admit(self, origin: str) -> None:
        """The rules are one list: what others have put there by now stays."""
        service = self.service
        service.set_cors(cors.with_ours(service.cors(), origin, self.account.name))

    # -- use -----------------------------------------------------------------------------------

    def prove(self, container: str) -> None:
        """Put, get, list and delete, whole and in blocks, and sign. Raises `bucket-denied`."""
        proof = self._proof(container, _PATIENCE, self._denied)
        proof.whole_and_in_parts(self.blobs(container))
        proof.step("sign", self.service.signing_key)

    def prove_as(self, credential: Any, container: str, patience: float, denied: Denied) -> None:
        """The same as whoever an SDK's credential is of, whole alone."""
        proof = self._proof(container, patience, denied)
        proof(self.blobs(container, credential))
        service = Service(self._session, self.account.endpoint, credential)
        proof.step("sign", service.signing_key)

    def _proof(self, container: str, patience: float, denied: Denied) -> BucketProof:
        return BucketProof(
            self.run,
            self.account.url(container),
            patience,
            denied,
            missing=lambda failure: failure.status == 404,
        )

    def check(self, container: str) -> None:
        """Raise what stands against a use of the container, as far as reading can tell."""
        try:
            if self.service.container(container) is not None:
                self.blobs(container).keys("anyscale-k8s-cli/")
        except CloudFailure as failure:
            if failure.denied:
                raise self._denied("list", failure) from failure
            raise

    def not_allowed(self, failure: CloudFailure) -> errors.CliError:
        """The error for an account in which no container may be made."""
        return errors.CliError(
            errors.FORBIDDEN,
            f"{self._name} may not make a container in the account {self.account.name}",
            cause=failure.cause,
            evidence=failure.evidence,
            fix=f"{self._grant_oneself}, or have a container made and name it with --bucket",
        )

    def _denied(self, verb: str, failure: CloudFailure) -> errors.CliError:
        return errors.CliError(
            errors.BUCKET_DENIED,
            f"{self._name} may not {_RIGHTS[verb]} in the account {self.account.name}",
            cause=failure.cause,
            evidence=failure.evidence,
            fix=self._grant_oneself,
        )

    @property
    def _name(self) -> str:
        return "The application" if self._secret() else self._session.asker.name

    @property
    def _grant_oneself(self) -> str:
        return self.grant(self._session.principal)

    def grant(self, whom: str) -> str:
        """What the account's owner types to let somebody use it."""
        scope = f'"$(az storage account show --name {self.account.name} --query id --output tsv)"'
        return (
            f"az role assignment create --assignee {shlex.quote(whom)} "
            f"--role '{ROLE}' --scope {scope}"
        )

    @property
    def _session(self) -> SecretSession | Session:
        """One for all calls; a new one when the secret is another."""
        secret = self._secret()
        with self._lock:
            if self._made is None or self._made[0] != secret:
                role = f"; the role {ROLE} on the account has what pods need"
                made = (
                    SecretSession(self.run, secret, role)
                    if secret
                    else Session(self.run, role=role)
                )
                self._made = (secret, made)
            return self._made[1]
