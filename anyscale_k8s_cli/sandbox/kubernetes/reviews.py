"""Answers to reviews: may I, may they, who am I, whose token is this."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from anyscale_k8s_cli.sandbox.kubernetes.authentication import (
    Authentication,
    ServiceAccountTokens,
    service_account_user,
)
from anyscale_k8s_cli.sandbox.kubernetes.authorization import Attributes, Authorizer
from anyscale_k8s_cli.sandbox.kubernetes.errors import bad_request
from anyscale_k8s_cli.sandbox.kubernetes.objects import dig
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User, authenticated


class Reviews:
    """Evaluates the kinds that are answered and never stored."""

    def __init__(
        self,
        authentication: Authentication,
        authorizer: Authorizer,
        accounts: ServiceAccountTokens,
    ) -> None:
        self._authentication = authentication
        self._authorizer = authorizer
        self._accounts = accounts
        self._answers: dict[str, Callable[[Object, User], Awaitable[Object]]] = {
            "SelfSubjectAccessReview": self._may_i,
            "SubjectAccessReview": self._may_they,
            "LocalSubjectAccessReview": self._may_they,
            "SelfSubjectRulesReview": self._my_rules,
            "SelfSubjectReview": self._who_am_i,
            "TokenReview": self._whose_token,
        }

    async def answer(self, resource: Resource, review: Object, user: User) -> Object:
        """The review with its status filled in."""
        spec = review.get("spec") or {}
        status = await self._answers[resource.kind](spec, user)
        answer: Object = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"creationTimestamp": None},
            "status": status,
        }
        if spec:
            answer["spec"] = spec
        return answer

    async def _may_i(self, spec: Object, user: User) -> Object:
        return self._decide(spec, user)

    async def _may_they(self, spec: Object, _: User) -> Object:
        groups = tuple(spec.get("groups") or ())
        return self._decide(spec, User(str(spec.get("user") or ""), groups))

    def _decide(self, spec: Object, user: User) -> Object:
        allowed = self._authorizer.allows(user, _attributes(spec))
        return {"allowed": allowed, "reason": "RBAC: allowed" if allowed else ""}

    async def _my_rules(self, spec: Object, user: User) -> Object:
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        everywhere = {"verbs": ["*"], "nonResourceURLs": ["*"]}
        rules = list(self._authorizer.rules(user, str(spec.get("namespace") or "")))
        if SUPERUSERS in user.groups:
            rules = [everything, everywhere]
        return {
            "resourceRules": [rule for rule in rules if rule.get("resources")],
            "nonResourceRules": [rule for rule in rules if rule.get("nonResourceURLs")],
            "incomplete": False,
        }

    async def _who_am_i(self, _: Object, user: User) -> Object:
        return {"userInfo": user.as_info()}

    async def _whose_token(self, spec: Object, _: User) -> Object:
        token, audiences = str(spec.get("token") or ""), spec.get("audiences") or []
        if not token:
            raise bad_request("token is required for TokenReview in authentication")
        claims = self._accounts.claims(token, audiences)
        if claims:
            user = authenticated(service_account_user(claims))
            found = [a for a in claims["aud"] if a in audiences] or [self._accounts.issuer]
            return {"authenticated": True, "user": user.as_info(), "audiences": found}
        caller = None if audiences else await self._authentication.by_token(token)
        if caller is None:
            return {"user": {}, "error": "token does not authenticate anybody"}
        return {"authenticated": True, "user": caller.as_info()}


def _attributes(spec: Object) -> Attributes:
    if path := dig(spec, "nonResourceAttributes", "path"):
        return Attributes(str(dig(spec, "nonResourceAttributes", "verb") or "get"), path=str(path))
    wanted = spec.get("resourceAttributes")
    if not wanted:
        raise bad_request(
            "exactly one of resourceAttributes or nonResourceAttributes must be given"
        )
    names = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(**{name: str(wanted.get(name) or "") for name in names})
