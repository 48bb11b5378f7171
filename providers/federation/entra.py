"""Microsoft Entra: an application, or a managed identity, with a credential of the cluster's
issuer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.credential_kinds import EntraIdentity
from anyscale_k8s_cli.providers.federation.proof import (
    SETTLED_WITHIN,
    Refused,
    Use,
    denied_later,
)
from anyscale_k8s_cli.providers.federation.sdk.session import Answer, Session
from anyscale_k8s_cli.run import Run

ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# The only one that Entra recommends; others are taken where the credential names them.
DEFAULT_AUDIENCE = "api://AzureADTokenExchange"
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
_STORAGE = "https://storage.azure.com/.default"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_UNREADABLE = ("AADSTS50166", "AADSTS501661", "AADSTS7002133")
_NO_APPLICATION = "AADSTS700016"
_NUMBER = re.compile(r"AADSTS\d+")


@dataclass(frozen=True)
class EntraProof:
    """Implements :class:`~anyscale_k8s_cli.provider.IdentityProof`.

    The token is exchanged as the SDKs do it, and the container used: `use` is given an access
    token for that. `patience` is in seconds.
    """

    run: Run
    access: EntraIdentity
    audience: str
    container: str
    use: Use
    patience: float = SETTLED_WITHIN

    def __call__(self, token: Callable[[str], str]) -> Sequence[str]:
        given = token(self.audience)
        claimed = Claimed.of(given)
        session = Session(self.run)
        found = self.run.retry(
            lambda: self._exchanged(session, given, claimed),
            retriable=denied_later,
            what=f"{self.access.client} to be usable",
            timeout=self.patience,
        )
        self.use(found, claimed)
        return (
            f"proven: {claimed.subject} is admitted as {self.access.client}",
            f"proven: that identity can put, get, list and delete in {self.container}",
        )

    def _exchanged(self, session: Session, given: str, claimed: Claimed) -> str:
        authority = (self.access.authority or PUBLIC_AUTHORITY).rstrip("/")
        answer = session.post_form(
            "token",
            f"{authority}/{self.access.tenant}/oauth2/v2.0/token",
            {
                "grant_type": "client_credentials",
                "client_id": self.access.client,
                "scope": _STORAGE,
                "client_assertion_type": _ASSERTION,
                "client_assertion": given,
            },
        )
        if answer.ok:
            return str(answer.body["access_token"])
        raise self._refused(answer, claimed)

    def _refused(self, answer: Answer, claimed: Claimed) -> errors.CliError:
        said = str(answer.body.get("error_description") or f"it answers {answer.status}")
        number = found[0] if (found := _NUMBER.search(said)) else ""
        refused = Refused(
            f"The identity {self.access.client}",
            claimed,
            said.splitlines()[0],
            (f"token answered {answer.status} {number}".rstrip(),),
        )
        if number == _NO_APPLICATION:
            return refused.error(
                f"see that {self.access.client} is the client id of an identity in the tenant "
                f"{self.access.tenant}, and correct --identity or --identity-provider"
            )
        if number in _UNREADABLE:
            return refused.error(
                f"see that {claimed.issuer} can be read from the internet, with the keys that the "
                "cluster signs with"
            )
        wanted = {
            "issuer": claimed.issuer,
            "subject": claimed.subject,
            "audiences": [self.audience],
        }
        return refused.error(
            f"give the identity {self.access.client} the federated credential {json.dumps(wanted)}"
            "; each is compared letter by letter, a slash at the issuer's end too"
        )
