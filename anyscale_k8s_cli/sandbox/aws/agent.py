"""The agent of EKS Pod Identity: a service account's token for its role's credentials."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.eks import (
    ASKED,
    POD_IDENTITY_SERVICE,
    Cluster,
    Clusters,
    session_tags,
)
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.policy import as_list
from anyscale_k8s_cli.sandbox.aws.principals import Clock, Principals
from anyscale_k8s_cli.sandbox.aws.request import METADATA, AwsRequest
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
        """Credentials as containers ask for them: for a token, or of the node for nothing."""
        if request.service == METADATA:
            return self._of_node(request)
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
        assert cluster is not None, "the association is of one"  # noqa: S101
        tags = session_tags(self.account, cluster, association)
        role = self.account.entity(association["roleArn"])
        if role is None or not all(
            trusts_service(self.account.trust(role), POD_IDENTITY_SERVICE, action, tags)
            for action in ASKED
        ):
            raise AwsError(
                400,
                "AccessDeniedException",
                "Unauthorized Exception! EKS is not "
                "authorized to assume the role of the association",
            )
        session = f"eks-{cluster.seed.name}-{subject[3]}"[:64]
        return self._keys(role, session)

    def _of_node(self, request: AwsRequest) -> Response:
        """Credentials of a node's role, which the machine's metadata service gives to anybody."""
        name = request.http.path.rpartition("/")[2]
        role = self.account.role(name)
        if role is None:
            raise AwsError(404, "NotFound", f"no role {name} is attached")
        return self._keys(role, f"i-{name}")

    def _keys(self, role: Any, session: str) -> Response:
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
        if cluster is None or not cluster.has_agent:
            raise AwsError(404, "ResourceNotFoundException", "No agent serves this cluster")

    def _cluster(self, issuer: str) -> Cluster | None:
        for cluster in self.clusters.all():
            if cluster.seed.issuer == issuer:
                return cluster
        return None
