"""The rules of IAM that moto leaves out, and the client ids of OIDC providers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from moto.core.exceptions import ServiceException
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.policy import as_list, statements
from anyscale_k8s_cli.sandbox.aws.request import AwsRequest
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_MOST_INLINE = 10_240
_MOST_TRUST = 2_048


@dataclass(frozen=True)
class IamRules:
    account: Account

    def check(self, request: AwsRequest) -> None:
        """Raises what IAM would answer instead of what moto would do."""
        parameters = request.parameters
        _check_tags(parameters.get("Tags") or [])
        if request.name == "CreateRole":
            self._check_new_name(parameters["RoleName"])
            self._check_trust(parameters["AssumeRolePolicyDocument"])
        elif parameters.get("RoleName") and self.account.role(parameters["RoleName"]) is None:
            name = parameters["RoleName"]
            raise no_entity(f"The role with name {name} cannot be found.")
        if request.name == "UpdateAssumeRolePolicy":
            self._check_trust(parameters["PolicyDocument"])
        if request.name == "PutRolePolicy":
            self._check_size(parameters)
        if boundary := parameters.get("PermissionsBoundary"):
            self._check_boundary(boundary)
        if request.name == "CreateOpenIDConnectProvider":
            self._check_provider(parameters["Url"])

    def _check_new_name(self, name: str) -> None:
        """Names of roles are told apart by more than their case."""
        if any(role.name.lower() == name.lower() for role in self.account.roles()):
            raise AwsError(409, "EntityAlreadyExists", f"Role with name {name} already exists.")

    def _check_size(self, parameters: Mapping[str, Any]) -> None:
        """All inline policies of a role have one limit together; white space is free."""
        role: Any = self.account.role(parameters["RoleName"])
        documents = {**role.policies, parameters["PolicyName"]: parameters["PolicyDocument"]}
        if sum(_size(document) for document in documents.values()) > _MOST_INLINE:
            message = f"Maximum policy size of {_MOST_INLINE} bytes exceeded for role {role.name}"
            raise AwsError(409, "LimitExceeded", message)

    def _check_trust(self, document: str) -> None:
        if _size(document) > _MOST_TRUST:
            message = f"Cannot exceed quota for ACLSizePerRole: {_MOST_TRUST}"
            raise AwsError(409, "LimitExceeded", message)
        # moto looks at a trust policy when it is changed, but not when a role is made.
        try:
            IAMTrustPolicyDocumentValidator(document).validate()
        except ServiceException as error:
            raise AwsError(400, "MalformedPolicyDocument", str(error.message)) from error
        for statement in statements(json.loads(document)):
            principal = statement.get("Principal")
            if principal is None:
                raise AwsError(400, "MalformedPolicyDocument", "Missing required field Principal")
            named = principal.get("AWS", []) if isinstance(principal, Mapping) else []
            for name in as_list(named):
                self._check_principal(name)

    def _check_principal(self, name: str) -> None:
        """IAM turns the names of users and roles into ids, so they must be there."""
        ours = f"arn:{self.account.partition}:iam::{self.account.id}:"
        kind = name.removeprefix(ours).split("/")[0]
        if not name.startswith(ours) or kind not in ("user", "role"):
            return
        if self.account.entity(name) is None:
            message = f'Invalid principal in policy: "AWS":"{name}"'
            raise AwsError(400, "MalformedPolicyDocument", message)

    def _check_boundary(self, arn: str) -> None:
        if self.account.managed_policy(arn) is None:
            raise no_entity(f"Scope ARN: {arn} does not exist or is not attachable.")

    def _check_provider(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.netloc or parts.query or parts.fragment:
            raise AwsError(400, "InvalidInput", "Invalid Open ID Connect Provider URL")
        if self.account.oidc_provider(url) is not None:
            message = f"Provider with url {url} already exists."
            raise AwsError(409, "EntityAlreadyExists", message)


@dataclass(frozen=True)
class OidcClients:
    """Adding and removing the audiences of a provider, which moto does not know."""

    account: Account

    def operations(self) -> Mapping[str, Operation]:
        return {
            "AddClientIDToOpenIDConnectProvider": self.add,
            "RemoveClientIDFromOpenIDConnectProvider": self.remove,
        }

    def add(self, inquiry: Inquiry) -> Answer:
        clients = self._provider(inquiry).client_id_list
        if inquiry["ClientID"] not in clients:
            clients.append(inquiry["ClientID"])
        return {}

    def remove(self, inquiry: Inquiry) -> Answer:
        clients = self._provider(inquiry).client_id_list
        if inquiry["ClientID"] in clients:
            clients.remove(inquiry["ClientID"])
        return {}

    def _provider(self, inquiry: Inquiry) -> Any:
        arn = inquiry["OpenIDConnectProviderArn"]
        for provider in self.account.oidc_providers():
            if provider.arn == arn:
                return provider
        raise no_entity(f"OpenIDConnect Provider not found for arn {arn}")


def _check_tags(tags: Sequence[Mapping[str, str]]) -> None:
    for tag in tags:
        if tag["Key"].lower().startswith("aws:"):
            message = "Tag keys that start with 'aws:' are reserved for system use."
            raise AwsError(400, "InvalidInput", message)


def _size(document: str) -> int:
    return len("".join(document.split()))


def no_entity(message: str) -> AwsError:
    return AwsError(404, "NoSuchEntity", message)
