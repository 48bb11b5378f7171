"""IAM: roles with their inline policies, OIDC providers, questions about permissions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from anyscale_k8s_cli.providers.eks.sdk.session import Session
from anyscale_k8s_cli.providers.eks.sdk.tags import tag_list, tags_of

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient
    from mypy_boto3_iam.type_defs import (
        ContextEntryTypeDef,
        EvaluationResultTypeDef,
        SimulatePolicyResponseTypeDef,
    )

Policy = Mapping[str, Any]
_ABSENT = "NoSuchEntity"
ALREADY_THERE = "EntityAlreadyExists"


@dataclass(frozen=True)
class RoleDescription:
    name: str
    arn: str
    path: str
    trust: Policy
    boundary: str | None
    tags: Mapping[str, str]


@dataclass(frozen=True)
class OidcProviderDescription:
    arn: str
    client_ids: frozenset[str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class NewRole:
    name: str
    path: str
    trust: Policy
    description: str
    boundary: str | None
    tags: Mapping[str, str]


class Answer(StrEnum):
    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """The simulator's answer for one action; unknown where it lacked the context keys `missing`.

    `explicit` is a denial that no other policy can make up for. `bounded` tells that rules of
    an organisation have a say too: of them the simulator sees those without conditions. `lacks`
    are condition keys that policies ask for and that the request is known not to have.
    """

    action: str
    answer: Answer
    explicit: bool = False
    bounded: bool = False
    missing: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Iam:
    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _client(self) -> IAMClient:
        client: IAMClient = self._session.client("iam")
        return client

    # -- roles ---------------------------------------------------------------

    def role(self, name: str) -> RoleDescription | None:
        answer = self._session.find("iam", lambda: self._client.get_role(RoleName=name), _ABSENT)
        if answer is None:
            return None
        found = answer["Role"]
        return RoleDescription(
            name=found["RoleName"],
            arn=found["Arn"],
            path=found["Path"],
            trust=_document(found["AssumeRolePolicyDocument"]),
            boundary=found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            tags=tags_of(found.get("Tags", [])),
        )

    def roles(self, path_prefix: str) -> list[str]:
        """The names of the roles below a path."""
        pages = self._client.get_paginator("list_roles").paginate(PathPrefix=path_prefix)
        return self._session.ask(
            "iam", lambda: [role["RoleName"] for page in pages for role in page["Roles"]]
        )

    def role_trusts(self) -> list[tuple[str, Policy]]:
        """All roles of the account with their trust policies."""
        pages = self._client.get_paginator("list_roles").paginate()
        return self._session.ask(
            "iam",
            lambda: [
                (role["Arn"], _document(role.get("AssumeRolePolicyDocument", {})))
                for page in pages
                for role in page["Roles"]
            ],
        )

    def create_role(self, wanted: NewRole) -> str:
        """Make the role and return its ARN. `EntityAlreadyExists` is raised as a failure."""
        bounded: dict[str, Any] = (
            {"PermissionsBoundary": wanted.boundary} if wanted.boundary else {}
        )
        answer = self._session.ask(
            "iam",
            lambda: self._client.create_role(
                RoleName=wanted.name,
                Path=wanted.path,
                AssumeRolePolicyDocument=json.dumps(wanted.trust),
                Description=wanted.description,
                Tags=tag_list(wanted.tags),
                **bounded,
            ),
        )
        return answer["Role"]["Arn"]

    def set_trust(self, role: str, trust: Policy) -> None:
        self._session.ask(
            "iam",
            lambda: self._client.update_assume_role_policy(
                RoleName=role, PolicyDocument=json.dumps(trust)
            ),
        )

    def set_boundary(self, role: str, arn: str) -> None:
        self._session.ask(
            "iam",
            lambda: self._client.put_role_permissions_boundary(
                RoleName=role, PermissionsBoundary=arn
            ),
        )

    def untag_role(self, role: str, keys: Sequence[str]) -> None:
        self._session.ask("iam", lambda: self._client.untag_role(RoleName=role, TagKeys=list(keys)))

    def tag_role(self, role: str, tags: Mapping[str, str]) -> None:
        self._session.ask("iam", lambda: self._client.tag_role(RoleName=role, Tags=tag_list(tags)))

    def inline_policy(self, role: str, name: str) -> Policy | None:
        """The inline policy; None when the role or the policy is absent."""
        answer = self._session.find(
            "iam",
            lambda: self._client.get_role_policy(RoleName=role, PolicyName=name),
            _ABSENT,
        )
        return None if answer is None else _document(answer["PolicyDocument"])

    def put_inline_policy(self, role: str, name: str, policy: Policy) -> None:
        self._session.ask(
            "iam",
            lambda: self._client.put_role_policy(
                RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy)
            ),
        )

    def delete_role(self, role: str) -> None:
        """Remove the role with all its policies. Already gone is success."""
        find = self._session.find
        inline = self._client.get_paginator("list_role_policies").paginate(RoleName=role)
        names = find("iam", lambda: [n for page in inline for n in page["PolicyNames"]], _ABSENT)
        for name in names or []:
            self._delete_inline(role, name)
        attached = self._client.get_paginator("list_attached_role_policies")
        found = attached.paginate(RoleName=role)
        arns = find(
            "iam",
            lambda: [item["PolicyArn"] for page in found for item in page["AttachedPolicies"]],
            _ABSENT,
        )
        for arn in arns or []:
            self._detach(role, arn)
        find("iam", lambda: self._client.delete_role(RoleName=role), _ABSENT)

    def _delete_inline(self, role: str, name: str) -> None:
        self._session.find(
            "iam",
            lambda: self._client.delete_role_policy(RoleName=role, PolicyName=name),
            _ABSENT,
        )

    def _detach(self, role: str, arn: str) -> None:
        self._session.find(
            "iam",
            lambda: self._client.detach_role_policy(RoleName=role, PolicyArn=arn),
            _ABSENT,
        )

    # -- OIDC providers --------------------------------------------------------

    def oidc_provider(self, arn: str) -> OidcProviderDescription | None:
        answer = self._session.find(
            "iam",
            lambda: self._client.get_open_id_connect_provider(OpenIDConnectProviderArn=arn),
            _ABSENT,
        )
        if answer is None:
            return None
        return OidcProviderDescription(
            arn=arn,
            client_ids=frozenset(answer.get("ClientIDList", [])),
            tags=tags_of(answer.get("Tags", [])),
        )

    def oidc_providers(self) -> list[str]:
        """The ARNs of the account's providers."""
        answer = self._session.ask("iam", self._client.list_open_id_connect_providers)
        return [item["Arn"] for item in answer["OpenIDConnectProviderList"]]

    def create_oidc_provider(self, issuer: str, client_id: str, tags: Mapping[str, str]) -> None:
        """Register the issuer; one that is registered already is success."""
        # IAM has the issuer's thumbprint itself: it verifies EKS by its own trust store.
        self._session.find(
            "iam",
            lambda: self._client.create_open_id_connect_provider(
                Url=issuer, ClientIDList=[client_id], Tags=tag_list(tags)
            ),
            ALREADY_THERE,
        )

    def add_client_id(self, provider: str, client_id: str) -> None:
        self._session.ask(
            "iam",
            lambda: self._client.add_client_id_to_open_id_connect_provider(
                OpenIDConnectProviderArn=provider, ClientID=client_id
            ),
        )

    def tag_oidc_provider(self, provider: str, tags: Mapping[str, str]) -> None:
        self._session.ask(
            "iam",
            lambda: self._client.tag_open_id_connect_provider(
                OpenIDConnectProviderArn=provider, Tags=tag_list(tags)
            ),
        )

    def untag_oidc_provider(self, provider: str, keys: Sequence[str]) -> None:
        self._session.find(
            "iam",
            lambda: self._client.untag_open_id_connect_provider(
                OpenIDConnectProviderArn=provider, TagKeys=list(keys)
            ),
            _ABSENT,
        )

    def delete_oidc_provider(self, provider: str) -> None:
        """Already gone is success."""
        self._session.find(
            "iam",
            lambda: self._client.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider),
            _ABSENT,
        )

    # -- managed policies ------------------------------------------------------

    def default_version(self, arn: str) -> str | None:
        """The version of a managed policy that counts; None where there is no such policy."""
        found = self._session.find("iam", lambda: self._client.get_policy(PolicyArn=arn), _ABSENT)
        return None if found is None else found["Policy"]["DefaultVersionId"]

    def policy_version(self, arn: str, version: str) -> Policy:
        answer = self._session.ask(
            "iam", lambda: self._client.get_policy_version(PolicyArn=arn, VersionId=version)
        )
        return _document(answer["PolicyVersion"].get("Document", {}))

    # -- permissions and quotas ---------------------------------------------------

    def simulate(
        self,
        principal: str,
        actions: Iterable[str],
        resource: str,
        context: Mapping[str, str | Sequence[str]] = MappingProxyType({}),
        absent: Callable[[str], bool] = lambda _key: False,
    ) -> list[Verdict]:
        """What the principal's own policies, its boundary and its organisation's rules say.

        `context` are the condition keys whose values are known; `absent` tells of a key in
        lower case whether the request will certainly not have it.

        A bucket's own policy, those of sessions and of endpoints, and rules of the organisation
        that have conditions are not looked at.
        """
        pages = self._client.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=principal,
            ActionNames=list(actions),
            ResourceArns=[resource],
            ContextEntries=[_entry(key, value) for key, value in context.items()],
        )
        return self._verdicts(pages, absent)

    def simulate_bounded(
        self,
        policy: Policy,
        boundary: Policy,
        actions: Iterable[str],
        resource: str,
        context: Mapping[str, str],
    ) -> list[Verdict]:
        """What somebody could do who has this policy and this boundary, and nothing else."""
        pages = self._client.get_paginator("simulate_custom_policy").paginate(
            PolicyInputList=[json.dumps(policy)],
            PermissionsBoundaryPolicyInputList=[json.dumps(boundary)],
            ActionNames=list(actions),
            ResourceArns=[resource],
            ContextEntries=[_entry(key, value) for key, value in context.items()],
        )
        return self._verdicts(pages)

    def _verdicts(
        self,
        pages: Iterable[SimulatePolicyResponseTypeDef],
        absent: Callable[[str], bool] = lambda _key: False,
    ) -> list[Verdict]:
        results = self._session.ask(
            "iam", lambda: [item for page in pages for item in page["EvaluationResults"]]
        )
        return [_verdict(item, absent) for item in results]

    def account_summary(self) -> Mapping[str, int]:
        """Used and limit of the account's IAM objects (`Roles`, `RolesQuota`, …)."""
        answer = self._session.ask("iam", self._client.get_account_summary)
        return {str(key): value for key, value in answer["SummaryMap"].items()}


def _entry(key: str, value: str | Sequence[str]) -> ContextEntryTypeDef:
    if isinstance(value, str):
        return {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
    return {"ContextKeyName": key, "ContextKeyType": "stringList", "ContextKeyValues": list(value)}


def _verdict(result: EvaluationResultTypeDef, absent: Callable[[str], bool]) -> Verdict:
    """Of a resource that was named, what is missing is told beside the verdict on it.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    told = [result, *result.get("ResourceSpecificResults", [])]
    keys = {key for item in told for key in item.get("MissingContextValues", [])}
    lacks = {key for key in keys if absent(key.lower())}
    missing = keys - lacks
    decision = result["EvalDecision"]
    known = Answer.ALLOWED if decision == "allowed" else Answer.DENIED
    return Verdict(
        action=result["EvalActionName"],
        answer=Answer.UNKNOWN if missing else known,
        explicit=decision == "explicitDeny",
        bounded="OrganizationsDecisionDetail" in result,
        missing=tuple(sorted(missing)),
        lacks=tuple(sorted(lacks)),
    )


def _document(found: Any) -> Policy:
    """botocore decodes policy documents, but leaves what it cannot as it came."""
    if isinstance(found, str):
        document: Policy = json.loads(unquote(found))
        return document
    return dict(found)
