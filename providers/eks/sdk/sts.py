"""STS: who we are, tokens for EKS, and becoming the operator's role."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.signers import RequestSigner

from anyscale_k8s_cli.cluster.access import BearerToken
from anyscale_k8s_cli.providers.eks.arns import Caller
from anyscale_k8s_cli.providers.eks.sdk.session import Session, TemporaryKeys

if TYPE_CHECKING:
    from mypy_boto3_sts.client import STSClient

# https://github.com/kubernetes-sigs/aws-iam-authenticator: STS takes a presigned
# question for 15 minutes, whatever end its URL gives; a minute is kept in hand.
TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105 - the public beginning of every such token
CLUSTER_HEADER = "x-k8s-aws-id"
URL_SECONDS = 60
TOKEN_LIFE = timedelta(minutes=14)
# The shortest that STS gives.
SESSION_SECONDS = 900


class Sts:
    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _client(self) -> STSClient:
        client: STSClient = self._session.client("sts")
        return client

    def caller(self) -> Caller:
        """Who our credentials belong to."""
        answer = self._session.ask("sts", self._client.get_caller_identity)
        return Caller(answer["Arn"])

    def cluster_token(self, cluster: str) -> BearerToken:
        """A token that the API server of the EKS cluster of that name accepts."""
        client = self._client
        meta = client.meta
        made_at = datetime.now(UTC)

        def sign() -> str:
            signer = RequestSigner(
                meta.service_model.service_id,
                meta.region_name,
                "sts",
                "v4",
                self._session.credentials(),
                self._session.events,
            )
            request = {
                "method": "GET",
                "url": f"{meta.endpoint_url}/?Action=GetCallerIdentity&Version="
                f"{meta.service_model.api_version}",
                "body": {},
                "headers": {CLUSTER_HEADER: cluster},
                "context": {},
            }
            url: str = signer.generate_presigned_url(
                request, operation_name="GetCallerIdentity", expires_in=URL_SECONDS
            )
            return url

        url = self._session.ask("sts", sign)
        encoded = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
        return BearerToken(TOKEN_PREFIX + encoded, made_at + TOKEN_LIFE)

    def assume_with_token(self, role_arn: str, token: str, name: str) -> TemporaryKeys:
        """Keys of the role for a service account's token. No credentials of ours are used."""
        answer = self._session.ask(
            "sts",
            lambda: self._client.assume_role_with_web_identity(
                RoleArn=role_arn,
                RoleSessionName=name,
                WebIdentityToken=token,
                DurationSeconds=SESSION_SECONDS,
            ),
        )
        keys = answer["Credentials"]
        return TemporaryKeys(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
