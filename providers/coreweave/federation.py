"""CoreWeave's workload identity federation: pods' own tokens, exchanged for keys for a while.

Who may exchange them, and what the keys open, says the organisation's access policy
(`policy.py`). Which issuer is believed at all says a configuration that is made in CoreWeave's
console: its API has no call for that.
https://docs.coreweave.com/security/tutorials/cks-object-storage-authentication/manual
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.credential_kinds import S3Exchange, S3Keys
from anyscale_k8s_cli.holders import OPERATOR
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.object_storage import BucketProof
from anyscale_k8s_cli.providers.coreweave import tags
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.keys import CoreWeaveKeys
from anyscale_k8s_cli.providers.federation.proof import Refused, TokenProof, denied_to
from anyscale_k8s_cli.providers.federation.sdk.session import Answer, Session
from anyscale_k8s_cli.providers.objectstore.probe import BucketObjects
from anyscale_k8s_cli.providers.objectstore.sdk.client import ABSENT
from anyscale_k8s_cli.resource import FieldChange, Observed
from anyscale_k8s_cli.storage_keys import IssuedKey, KeysResource

# The one that CoreWeave recommends; others are taken where the configuration names them.
DEFAULT_AUDIENCE = "https://coreweave.com/iam"
_CALL = "CreateAccessKeyFromContainerCreds"
ROLE = "role/"
_SUBJECT = ":system:serviceaccount:"


def role(issuer: str, namespace: str) -> str:
    """How policies name the operator and its pods: by who signs their tokens, and their subject."""
    return f"{ROLE}{issuer}{_SUBJECT}{namespace}:{OPERATOR.account}"


def namespace_of(principal: str) -> str:
    """The namespace in such a name; empty for other principals."""
    if not principal.startswith(ROLE) or not principal.endswith(f":{OPERATOR.account}"):
        return ""
    return principal.partition(_SUBJECT)[2].partition(":")[0]


class TokenExchange(KeysResource[S3Exchange]):
    """Where pods exchange their tokens: nothing that is made, and no key.

    A key that an earlier setup made for them ends once the operator works without it.
    """

    kind: ClassVar[str] = "coreweave-token-exchange"
    credentials = S3Exchange

    def __init__(self, install: Install, issuer: CoreWeaveKeys, url: str) -> None:
        super().__init__(
            key=f"coreweave:token-exchange/{tags.key_name(install)}",
            title="exchange of pods' own tokens for keys that soon end",
            install=install,
        )
        self._issuer = issuer
        self._access = S3Exchange(url)

    @property
    def output(self) -> S3Exchange:
        return self._access

    def read(self) -> Observed[S3Exchange] | None:
        keys = tuple(self._issuer.keys())
        return Observed(self._access.id, self._access, owner=self.install, state=keys)

    def diff(self, observed: Observed[S3Exchange]) -> Sequence[FieldChange]:
        return [
            FieldChange(f"access key {item.access_key}", "in use until now", "revoked")
            for item in _keys(observed)
        ]

    def create(self) -> Observed[S3Exchange]:
        raise AssertionError("it is always there")

    def update(
        self, observed: Observed[S3Exchange], changes: Sequence[FieldChange]
    ) -> Observed[S3Exchange]:
        """Nothing yet: the operator still has the key. See `retire`."""
        return observed

    def delete(self, observed: Observed[S3Exchange]) -> None:
        self._revoke(_keys(observed))

    def ready(self, observed: Observed[S3Exchange]) -> Observed[S3Exchange]:
        """Proven with a token, once there is somebody who may have one."""
        return observed

    def retire(self) -> None:
        if self.observed is not None:
            self._revoke(_keys(self.observed))

    def _revoke(self, keys: Sequence[IssuedKey]) -> None:
        for item in keys:
            self._issuer.revoke(item.access_key)


def _keys(observed: Observed[S3Exchange]) -> tuple[IssuedKey, ...]:
    found: tuple[IssuedKey, ...] = observed.state
    return found


@dataclass(frozen=True)
class RoleExchange:
    """Implements :class:`~anyscale_k8s_cli.providers.federation.proof.Exchange`, as the SDKs of
    pods do it. `identity` is the role that the access policy names."""

    session: Session
    url: str
    identity: str
    audience: str

    def __call__(self, token: str, claimed: Claimed) -> S3Keys:
        meant = f"{ROLE}{claimed.issuer}:{claimed.subject}"
        if meant != self.identity:
            raise self._refused(
                claimed,
                f"the tokens are of {meant}, which the access policy does not name",
                (),
                "leave --storage-keys out: CoreWeave's API tells of another issuer than the one "
                "that signs the cluster's tokens",
            )
        # The token alone, with no word before it: so the SDKs send what is in the file.
        answer = self.session.get(_CALL, self.url, {"Authorization": token})
        found = answer.body
        if answer.ok and found.get("AccessKeyId") and found.get("SecretAccessKey"):
            session = str(found.get("Token") or "")
            return S3Keys(str(found["AccessKeyId"]), str(found["SecretAccessKey"]), session)
        cause = str(found.get("message") or f"{_CALL} answered {answer.status}")
        evidence = (f"{_CALL} answered {answer.status}", f"the access policy names {self.identity}")
        raise self._refused(claimed, cause, evidence, self._fix(answer, claimed))

    def _fix(self, answer: Answer, claimed: Claimed) -> str:
        if answer.status == HTTPStatus.FORBIDDEN:
            return (
                "see on the page of organisation access policies in CoreWeave's console that none "
                f"denies cwobject:CreateAccessKeyFromOIDC to {self.identity}; then run the same "
                "command again"
            )
        return (
            "create an OIDC configuration on the page Workload Federation of CoreWeave's console "
            "(https://console.coreweave.com/organization/iam/workload-federation#oidc) with the "
            f"issuer URL {claimed.issuer} and the client id (audience) {self.audience}; where "
            "there is no such page, CoreWeave's support switches it on"
        )

    def _refused(
        self, claimed: Claimed, cause: str, evidence: tuple[str, ...], fix: str
    ) -> errors.CliError:
        return Refused("CoreWeave", claimed, cause, evidence).error(fix)


def proof(
    coreweave: CoreWeave, zone: str, bucket: str, exchange: RoleExchange, patience: float
) -> TokenProof[S3Keys]:
    """The exchange, and the bucket used with what comes of it. `patience` is in seconds."""
    run = coreweave.run

    def use(keys: S3Keys, _: Claimed) -> None:
        fix = (
            "run the same command again, which mends the access policy; or see that no other "
            f"policy denies s3: actions to {exchange.identity}"
        )
        BucketProof(
            run,
            bucket,
            patience,
            denied_to(exchange.identity, bucket, fix),
            missing=lambda failure: failure.api_code in ABSENT,
        )(BucketObjects(coreweave.s3(zone, lambda: keys), bucket))

    return TokenProof(run, exchange.audience, exchange, f"s3://{bucket}", use, patience)
