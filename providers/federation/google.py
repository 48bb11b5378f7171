"""Google: a workload identity pool with a provider of the cluster's issuer."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.credential_kinds import GooglePool
from anyscale_k8s_cli.providers.federation.proof import Refused
from anyscale_k8s_cli.providers.federation.sdk.session import Answer, Session

PROVIDER = re.compile(
    r"projects/\d+/locations/global/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+"
)
EMAIL = re.compile(r"[a-z0-9-]+@[a-z0-9.:-]+\.iam\.gserviceaccount\.com")
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TOKEN_TYPE = "urn:ietf:params:oauth:token-type"  # noqa: S105 - a name
_FEDERATED = "roles/iam.workloadIdentityUser"
_SIGNER = "roles/iam.serviceAccountTokenCreator"
# What is signed stands for nothing.
_ANYTHING = base64.b64encode(b"anyscale-k8s-cli").decode()


def provider_name(given: str) -> str:
    """The provider's full name in what a user calls it; empty if in none."""
    name = given.removeprefix("https:").removeprefix("//iam.googleapis.com/")
    return name if PROVIDER.fullmatch(name) else ""


def default_audience(provider: str) -> str:
    """What Google admits where a provider names nothing else: its own name."""
    return f"https://iam.googleapis.com/{provider}"


def principal(provider: str, subject: str) -> str:
    """How policies name whoever a provider admits under a subject."""
    pool = provider.partition("/providers/")[0]
    return f"principal://iam.googleapis.com/{pool}/subject/{subject}"


@dataclass(frozen=True)
class PoolExchange:
    """Implements :class:`~anyscale_k8s_cli.providers.federation.proof.Exchange`, for an access
    token of the service account, which must be able to sign with it: so addresses come about by
    which Anyscale's console reads the bucket."""

    session: Session
    access: GooglePool
    audience: str

    @property
    def identity(self) -> str:
        return self.access.email

    def __call__(self, token: str, claimed: Claimed) -> str:
        found = self._acted_as(self._exchanged(token, claimed), claimed)
        self._sign(found, claimed)
        return found

    def _exchanged(self, given: str, claimed: Claimed) -> str:
        answer = self.session.post_form(
            "sts.token",
            f"{self.access.sts}/v1/token",
            {
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "requested_token_type": f"{_TOKEN_TYPE}:access_token",
                "subject_token_type": f"{_TOKEN_TYPE}:jwt",
                "audience": self.access.audience,
                "scope": SCOPE,
                "subject_token": given,
            },
        )
        if answer.ok:
            return str(answer.body["access_token"])
        raise self._refused_by_pool(answer, claimed)

    def _acted_as(self, federated: str, claimed: Claimed) -> str:
        body = {"scope": [SCOPE], "lifetime": "600s"}
        member = principal(self.access.provider, claimed.subject)
        answer = self._as_account("generateAccessToken", body, federated)
        if answer.ok:
            return str(answer.body["accessToken"])
        raise self._lacking("generateAccessToken", answer, claimed, (_FEDERATED, member))

    def _sign(self, token: str, claimed: Claimed) -> None:
        answer = self._as_account("signBlob", {"payload": _ANYTHING}, token)
        if not answer.ok:
            oneself = f"serviceAccount:{self.access.email}"
            raise self._lacking("signBlob", answer, claimed, (_SIGNER, oneself))

    def _as_account(self, verb: str, body: dict[str, Any], bearer: str) -> Answer:
        return self.session.post(verb, self.access.as_account(verb), body, bearer)

    def _lacking(
        self, verb: str, answer: Answer, claimed: Claimed, wanted: tuple[str, str]
    ) -> errors.CliError:
        """The error for an account whose policy has no such role for such a member."""
        error = answer.body.get("error") or {}
        refused = Refused(
            self.access.email,
            claimed,
            str(error.get("message") or f"it answers {answer.status}"),
            (f"{verb} answered {answer.status} {error.get('status', '')}".rstrip(),),
        )
        role, member = wanted
        binding = json.dumps({"role": role, "members": [member]})
        return refused.error(f"add to the IAM policy of {self.access.email} the binding {binding}")

    def _refused_by_pool(self, answer: Answer, claimed: Claimed) -> errors.CliError:
        word, said = str(answer.body.get("error", "")), answer.body.get("error_description") or ""
        refused = Refused(
            self.access.provider,
            claimed,
            str(said) or f"STS answers {answer.status}",
            (f"sts.token answered {answer.status} {word}".rstrip(),),
        )
        if "connecting to the given credential" in said or "signature" in said:
            return refused.error(
                f"see that {claimed.issuer} can be read from the internet, with the keys that the "
                "cluster signs with; or give its keys to the provider (jwksJson)"
            )
        wanted = {
            "oidc": {"issuerUri": claimed.issuer, "allowedAudiences": [self.audience]},
            "attributeMapping": {"google.subject": "assertion.sub"},
        }
        what = "make" if word == "invalid_target" else "give"
        return refused.error(
            f"{what} the pool's provider {self.access.provider} "
            f"{'with' if what == 'make' else 'these settings, and no condition against it:'} "
            f"{json.dumps(wanted)}"
        )
