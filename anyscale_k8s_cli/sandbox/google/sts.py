"""The exchange of a Kubernetes service account's token for one that Google knows.

https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token, as GKE's
metadata server uses it: the audience names a project's workload identity pool and
the cluster that is its provider. Or it names a provider of a pool that somebody made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from anyscale_k8s_cli.sandbox.google.api import Call, Method, Reply, Service
from anyscale_k8s_cli.sandbox.google.clusters import Cluster, Clusters
from anyscale_k8s_cli.sandbox.google.errors import OAuthError
from anyscale_k8s_cli.sandbox.google.oauth import form_of
from anyscale_k8s_cli.sandbox.google.project import Project
from anyscale_k8s_cli.sandbox.google.tokens import (
    BadToken,
    Caller,
    check_times,
    claims_of,
    verify_signature,
)

IssuerKeys = Callable[[str], Mapping[str, Any] | None]

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
_AUDIENCE = re.compile(r"identitynamespace:([^:]+):(https://\S+)")
_RESOURCES = "//iam.googleapis.com/"
_PROVIDER = re.compile(
    rf"{_RESOURCES}(projects/\d+/locations/global/workloadIdentityPools/[^/]+/providers/[^/]+)"
)
_SUBJECT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")
_SECONDS = 3600
_LONGEST = timedelta(hours=24)


@dataclass(frozen=True)
class Sts:
    """`issuer_keys` gives the key set of a cluster's issuer, or None if it is not known."""

    project: Project
    clusters: Clusters
    issuer_keys: IssuerKeys

    def service(self) -> Service:
        exchange = Method("sts.token", "POST", "/v1/token", self._token, secret=True, open=True)
        return Service("sts", (exchange,))

    def _token(self, call: Call) -> Reply:
        form = form_of(call)
        if _field(form, "grant_type") != EXCHANGE:
            raise OAuthError("invalid_request", 'Invalid value for "grantType".')
        if _field(form, "requested_token_type") != ACCESS_TOKEN:
            raise OAuthError("invalid_request", 'Invalid value for "requestedTokenType".')
        if _field(form, "subject_token_type") != JWT:
            raise OAuthError("invalid_request", 'Invalid value for "subjectTokenType".')
        scopes = frozenset(_field(form, "scope").split())
        if not scopes:
            raise OAuthError("invalid_scope", "The scope is required.")
        audience, token = _field(form, "audience"), _field(form, "subject_token")
        if named := _PROVIDER.fullmatch(audience):
            caller = self._of_pool(token, named[1], scopes)
        else:
            caller = self._federated(token, self._provider(audience), scopes)
        issued = self.project.tokens.issue(caller, _SECONDS)
        return Reply(
            {
                "access_token": issued.value,
                "issued_token_type": ACCESS_TOKEN,
                "token_type": "Bearer",
                "expires_in": _SECONDS - 1,
            }
        )

    def _provider(self, audience: str) -> Cluster:
        """The cluster that vouches for tokens in a pool."""
        found = _AUDIENCE.fullmatch(audience)
        if found is None:
            raise OAuthError(
                "invalid_request",
                'Invalid value for "audience". This value should be the full resource name of the '
                "Identity Provider. See "
                "https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the "
                "list of possible formats.",
            )
        pool, issuer = found.groups()
        cluster = self.clusters.by_issuer(issuer)
        if cluster is None or cluster.seed.workload_pool != pool or pool not in self.project.pools:
            raise _no_such_provider()
        return cluster

    def _of_pool(self, token: str, name: str, scopes: frozenset[str]) -> Caller:
        """Whoever a pool's provider admits, as policies name him.

        https://cloud.google.com/iam/docs/workload-identity-federation-with-kubernetes
        """
        provider = self.project.providers.get(name)
        if provider is None:
            raise _no_such_provider()
        usual = (f"{_RESOURCES}{name}", f"https:{_RESOURCES}{name}")
        admitted = provider.audiences or usual
        claims = self._verified(token, provider.issuer, admitted)
        pool = name.partition("/providers/")[0]
        principal = f"principal:{_RESOURCES}{pool}/subject/{claims.get('sub')}"
        return Caller(principal, scopes=scopes, principal=principal)

    def _federated(self, token: str, cluster: Cluster, scopes: frozenset[str]) -> Caller:
        pool = cluster.seed.workload_pool
        claims = self._verified(token, cluster.seed.issuer, (pool,))
        subject = _SUBJECT.fullmatch(str(claims.get("sub")))
        if subject is None:
            raise _bad_grant("The subject in ID Token is not a Kubernetes service account.")
        return kubernetes_caller(self.project, pool, subject[1], subject[2], scopes)

    def _verified(self, token: str, issuer: str, admitted: Sequence[str]) -> Mapping[str, Any]:
        """The claims of a token of an issuer's that was made for one of the admitted."""
        try:
            claims = claims_of(token)
        except BadToken as problem:
            raise _bad_grant("Unable to parse the ID Token.") from problem
        if claims.get("iss") != issuer:
            raise _bad_grant(
                f"The issuer in ID Token {claims.get('iss')} does not match the expected ones: "
                f"{issuer}."
            )
        keys = self.issuer_keys(issuer)
        if keys is None:
            raise _bad_grant("Error connecting to the given credential's issuer.")
        try:
            verify_signature(token, keys.get("keys", ()))
        except BadToken as problem:
            raise _bad_grant("Invalid ID Token signature.") from problem
        audiences = claims.get("aud") or []
        audiences = [audiences] if isinstance(audiences, str) else audiences
        if not set(admitted) & set(audiences):
            raise _bad_grant(
                f"The audience in ID Token {audiences} does not match the expected audience "
                f"{', '.join(admitted)}."
            )
        try:
            check_times(claims, self.project.clock(), longest=_LONGEST)
        except BadToken as problem:
            raise _bad_grant(f"ID Token is stale to sign-in: {problem}.") from problem
        return claims


def kubernetes_caller(
    project: Project, pool: str, namespace: str, name: str, scopes: frozenset[str]
) -> Caller:
    """A Kubernetes service account as policies know it, in both forms."""
    principal = (
        f"principal://iam.googleapis.com/projects/{project.number}/locations/global/"
        f"workloadIdentityPools/{pool}/subject/ns/{namespace}/sa/{name}"
    )
    return Caller(f"serviceAccount:{pool}[{namespace}/{name}]", scopes=scopes, principal=principal)


def _field(form: Mapping[str, str], name: str) -> str:
    """A field under its name in forms or in JSON."""
    first, *rest = name.split("_")
    camel = first + "".join(part.capitalize() for part in rest)
    return form.get(name) or form.get(camel) or ""


def _no_such_provider() -> OAuthError:
    return OAuthError(
        "invalid_target",
        'The target service indicated by the "audience" parameters is invalid. This might '
        "either be because the pool or provider is disabled or deleted or because it "
        "doesn't exist.",
    )


def _bad_grant(description: str) -> OAuthError:
    return OAuthError("invalid_grant", description)
