"""The agent of EKS Pod Identity: a service account's token for its role's credentials."""

from __future__ import annotations

import json
from dataclasses import dataclass

from werkzeug.wrappers import Response

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.eks import POD_IDENTITY_SERVICE, Cluster, Clusters
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.policy import as_list
from anyscale_k8s_cli.sandbox.aws.principals import Clock, Principals
from anyscale_k8s_cli.sandbox.aws.request import AwsRequest
from anyscale_k8s_cli.sandbox.aws.seed import POD_IDENTITY_AGENT
from anyscale_k8s_cli.sandbox.aws.trust import IssuerKeys, trusts_service, verified_claims
from anyscale_k8s_cli.sandbox.aws.webhook import AGENT_AUDIENCE

_SECONDS = 21600


@dataclass(frozen=True)
class PodIdentityAgent:
    account: Account
    clusters: Clusters
    principals: Principals
    issuer_keys: IssuerKeys
    clock: Clock

    def __call__(self, request: AwsRequest) -> Response:
        """Credentials for the token in the Authorization header, as containers ask for them."""
        token = request.http.headers.get("Authorization", "")
        claims = verified_claims(
            token, self.issuer_keys, self.clock(), check_issuer=self._check_issuer
        )
        cluster = self._cluster(str(claims["iss"]))
        subject = str(claims.get("sub", "")).split(":")
        if AGENT_AUDIENCE not in as_list(claims.get("aud", [])) or len(subject) != 4:
            raise AwsError(400, "InvalidTokenException", "Unauthorized Audience")
        association = cluster.association(subject[2], subject[3]) if cluster else None
        if association is None:
            message = "No EKS Pod Identity association found for the service account"
            raise AwsError(404, "ResourceNotFoundException", message)
        role = self.account.entity(association["roleArn"])
        if role is None or not trusts_service(
            self.account.trust(role), POD_IDENTITY_SERVICE, "sts:AssumeRole"
        ):
            raise AwsError(
                400,
                "AccessDeniedException",
                "Unauthorized Exception! EKS is not "
                "authorized to assume the role of the association",
            )
        session = f"eks-{cluster.seed.name}-{subject[3]}"[:64] if cluster else subject[3]
        keys = self.principals.open_session(role, session, _SECONDS)
        body = {
            "AccessKeyId": keys.access_key,
            "SecretAccessKey": keys.secret,
            "Token": keys.token,
            "AccountId": self.account.id,
            "Expiration": f"{keys.expires:%Y-%m-%dT%H:%M:%SZ}",
        }
        return Response(json.dumps(body), content_type="application/json")

    def _check_issuer(self, issuer: str) -> None:
        cluster = self._cluster(issuer)
        addons = {addon.name for addon in cluster.seed.addons} if cluster else set()
        if POD_IDENTITY_AGENT.name not in addons:
            raise AwsError(404, "ResourceNotFoundException", "No agent serves this cluster")

    def _cluster(self, issuer: str) -> Cluster | None:
        for cluster in self.clusters.all():
            if cluster.seed.issuer == issuer:
                return cluster
        return None
