"""Who makes a request: static tokens, service-account tokens, and what a cloud vouches for."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox import rsa_keys
from anyscale_k8s_cli.sandbox.kubernetes.errors import bad_request, unauthorized
from anyscale_k8s_cli.sandbox.kubernetes.objects import dig, name_of, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.users import ANONYMOUS, User, authenticated

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_ALGORITHM = "RS256"
_CLOCK_SKEW = 10
_SHORTEST_TOKEN = 600


# Tells whose token it is, or None if it is none of its own.
TokenAuthenticator = Callable[[str], Awaitable[User | None]]


def static_tokens(users: Mapping[str, User]) -> TokenAuthenticator:
    """An authenticator for tokens that are known beforehand."""

    async def authenticate(token: str) -> User | None:
        return users.get(token)

    return authenticate


class ServiceAccountTokens:
    """Signs and verifies service-account tokens with the cluster's own key.

    A token is good only as long as its account (and the pod it is bound to) is
    there with the same uid.
    """

    def __init__(self, store: Store, issuer: str) -> None:
        self._store = store
        self.issuer = issuer
        # The claims of what was verified, by token and audiences: each call shows a token.
        self._verified: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = {}

    @cached_property
    def _key(self) -> RSAPrivateKey:
        return rsa_keys.new()

    @cached_property
    def _key_id(self) -> str:
        from cryptography.hazmat.primitives import serialization

        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")

    def issuer_keys(self) -> Object:
        """The JSON Web Key Set that verifies the tokens."""
        import jwt.algorithms

        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        public = {"kty": key["kty"], "n": key["n"], "e": key["e"]}
        return {"keys": [{"use": "sig", "alg": _ALGORITHM, "kid": self._key_id, **public}]}

    def configuration(self) -> Object:
        """The OpenID discovery document."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [_ALGORITHM],
        }

    def issue(
        self,
        account: Object,
        *,
        audiences: Sequence[str] = (),
        seconds: int = 3600,
        pod: Object | None = None,
    ) -> tuple[str, int]:
        """A token for an account and when it expires (Unix time)."""
        import jwt

        now = int(time.time())
        private: Object = {
            "namespace": namespace_of(account),
            "serviceaccount": {"name": name_of(account), "uid": account["metadata"]["uid"]},
        }
        if pod is not None:
            private["pod"] = {"name": name_of(pod), "uid": pod["metadata"]["uid"]}
            if node := dig(pod, "spec", "nodeName"):
                private["node"] = {"name": node}
        claims = {
            "aud": list(audiences) or [self.issuer],
            "exp": now + seconds,
            "iat": now,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": private,
            "nbf": now,
            "sub": f"system:serviceaccount:{namespace_of(account)}:{name_of(account)}",
        }
        token = jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers={"kid": self._key_id})
        return token, now + seconds

    def claims(self, token: str, audiences: Sequence[str] = ()) -> dict[str, Any] | None:
        """The claims of a valid token for one of the audiences (the API's own by default)."""
        asked = (token, tuple(audiences) or (self.issuer,))
        claims = self._verified.get(asked)
        if claims is None or claims["exp"] + _CLOCK_SKEW <= time.time():
            claims = self._decoded(*asked)
            if claims is None:
                return None
            self._verified[asked] = claims
        return claims if self._bound_objects_live(claims["kubernetes.io"]) else None

    def _decoded(self, token: str, audiences: Sequence[str]) -> dict[str, Any] | None:
        import jwt

        try:
            found: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=[_ALGORITHM],
                audience=list(audiences),
                issuer=self.issuer,
                leeway=_CLOCK_SKEW,
            )
        except jwt.PyJWTError:
            return None
        return found

    def _bound_objects_live(self, private: Object) -> bool:
        for resource, claim in (("serviceaccounts", "serviceaccount"), ("pods", "pod")):
            bound = private.get(claim)
            if bound is None:
                continue
            found = self._store.find(resource, private["namespace"], bound["name"])
            if found is None or found["metadata"]["uid"] != bound["uid"]:
                return False
        return True

    async def authenticate(self, token: str) -> User | None:
        """A :data:`TokenAuthenticator` for tokens made for the API server itself."""
        if token.count(".") != 2:
            return None
        claims = self.claims(token)
        return service_account_user(claims) if claims else None

    def request(self, account: Object, request: Object) -> Object:
        """Answer a TokenRequest for an account. Raises a 4xx ApiError."""
        spec = request.get("spec") or {}
        seconds = int(spec.get("expirationSeconds") or 3600)
        if seconds < _SHORTEST_TOKEN:
            why = "may not specify a duration less than 10 minutes"
            raise bad_request(f"spec.expirationSeconds: Invalid value: {seconds}: {why}")
        pod = self._bound_pod(namespace_of(account), spec.get("boundObjectRef"))
        audiences = spec.get("audiences") or []
        token, expires = self.issue(account, audiences=audiences, seconds=seconds, pod=pod)
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires))
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": name_of(account), "namespace": namespace_of(account)},
            "spec": {**spec, "audiences": audiences or [self.issuer], "expirationSeconds": seconds},
            "status": {"token": token, "expirationTimestamp": moment},
        }

    def _bound_pod(self, namespace: str, reference: Object | None) -> Object | None:
        if not reference:
            return None
        if reference.get("kind") != "Pod":
            raise bad_request(f"cannot bind token to a {reference.get('kind')}: only to a Pod here")
        pod = self._store.get("pods", namespace, reference["name"])
        if reference.get("uid") not in (None, "", pod["metadata"]["uid"]):
            raise bad_request("the UID in the bound object reference does not match the pod's")
        return pod


def service_account_user(claims: Mapping[str, Any]) -> User:
    private = claims["kubernetes.io"]
    namespace, account = private["namespace"], private["serviceaccount"]
    extra: dict[str, Sequence[str]] = {}
    if "jti" in claims:
        extra["authentication.kubernetes.io/credential-id"] = [f"JTI={claims['jti']}"]
    if "pod" in private:
        extra["authentication.kubernetes.io/pod-name"] = [private["pod"]["name"]]
        extra["authentication.kubernetes.io/pod-uid"] = [private["pod"]["uid"]]
    return User(
        f"system:serviceaccount:{namespace}:{account['name']}",
        ("system:serviceaccounts", f"system:serviceaccounts:{namespace}"),
        account["uid"],
        extra,
    )


def certified(certificate: Mapping[str, Any] | None) -> User | None:
    """The bearer of a client's certificate as TLS has checked it: its name and groups."""
    if not certificate:
        return None
    parts = [part for names in certificate["subject"] for part in names]
    (name,) = [value for key, value in parts if key == "commonName"]
    groups = tuple(value for key, value in parts if key == "organizationName")
    return authenticated(User(name, groups))


class Authentication:
    """Asks each authenticator in turn."""

    def __init__(self, authenticators: Sequence[TokenAuthenticator]) -> None:
        self._authenticators = tuple(authenticators)

    async def by_token(self, token: str) -> User | None:
        for authenticator in self._authenticators:
            user = await authenticator(token)
            if user is not None:
                return authenticated(user)
        return None

    async def by_header(self, header: str) -> User:
        """The caller by its Authorization header; anonymous without one. Raises a 401 ApiError."""
        if not header:
            return ANONYMOUS
        scheme, _, token = header.partition(" ")
        user = await self.by_token(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise unauthorized()
        return user
