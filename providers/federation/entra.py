"""Microsoft Entra: an application, or a managed identity, with a credential of the cluster's
issuer."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.credential_kinds import EntraIdentity
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.azureblob import trust
from anyscale_k8s_cli.providers.azureblob.sdk.identities import EXCHANGE_AUDIENCE, Trust
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session
from anyscale_k8s_cli.providers.azureblob.trust import Place
from anyscale_k8s_cli.providers.federation.proof import Refused

ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# The only one that Entra recommends; others are taken where the credential names them.
DEFAULT_AUDIENCE = EXCHANGE_AUDIENCE
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
_STORAGE = "https://storage.azure.com/.default"
# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_UNREADABLE = ("AADSTS50166", "AADSTS501661", "AADSTS7002133")
_STALE = "AADSTS700024"
_NO_APPLICATION = "AADSTS700016"
_NUMBER = "AADSTS"
# What Entra says about the request itself, after the cause.
_TRACE = " Trace ID:"


@dataclass(frozen=True)
class EntraExchange:
    """Implements :class:`~anyscale_k8s_cli.providers.federation.proof.Exchange`, for a credential
    of the SDK's.

    `place` is where a managed identity is, None where only the client id was said; `name` is
    that of a credential which its owner would add.
    """

    session: Session
    access: EntraIdentity
    audience: str
    name: str
    place: Place | None = None

    @property
    def identity(self) -> str:
        return self.place.name if self.place else self.access.client

    def __call__(self, token: str, claimed: Claimed) -> Any:
        credential = self.session.federated(self.access.tenant, self.access.client, token)
        try:
            self.session.token(_STORAGE, credential)
        except CloudFailure as failure:
            if not failure.api_code.startswith(_NUMBER):
                raise
            raise self._refused(failure, claimed) from failure
        return credential

    def _refused(self, failure: CloudFailure, claimed: Claimed) -> errors.CliError:
        refused = Refused(
            f"The identity {self.identity}",
            claimed,
            failure.cause.partition(_TRACE)[0],
            (f"Entra answered {failure.api_code}",),
        )
        if failure.api_code == _NO_APPLICATION:
            return refused.error(
                f"see that {self.access.client} is the client id of an identity in the tenant "
                f"{self.access.tenant}, and correct --identity or --identity-provider"
            )
        if failure.api_code in _UNREADABLE:
            return refused.error(
                f"see that {claimed.issuer} can be read from the internet, with the keys that the "
                "cluster signs with"
            )
        if failure.api_code == _STALE:
            return refused.error("check the clock of the cluster's control plane")
        return refused.error(self._to_add(Trust(claimed.issuer, claimed.subject, (self.audience,))))

    def _to_add(self, wanted: Trust) -> str:
        """What the owner types; where only the client id is known it may be either kind."""
        if self.place is not None:
            return trust.command(self.place, self.name, wanted)
        return (
            f"for an app registration: {for_application(self.access.client, self.name, wanted)}; "
            f"for a managed identity: {for_client(self.access.client, self.name, wanted)}"
        )


def for_application(client: str, name: str, wanted: Trust) -> str:
    """What an app registration's owner types to have it take such tokens."""
    credential = {
        "name": name,
        "issuer": wanted.issuer,
        "subject": wanted.subject,
        "audiences": list(wanted.audiences),
    }
    parameters = shlex.quote(json.dumps(credential))
    return f"az ad app federated-credential create --id {client} --parameters {parameters}"


def for_client(client: str, name: str, wanted: Trust) -> str:
    """The same for a managed identity of which the client id alone is known."""
    found = (
        f"\"[?clientId=='{client}'] | [0] | join(' ', ['--resource-group', resourceGroup, "
        "'--identity-name', name])\""
    )
    return (
        f"az identity federated-credential create $(az identity list --query {found} "
        f"--output tsv) --name {shlex.quote(name)} {trust.arguments(wanted)}"
    )
