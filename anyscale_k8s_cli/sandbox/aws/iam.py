"""The rules of IAM that moto leaves out, and the client ids of OIDC providers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.policy import as_list, statements
from anyscale_k8s_cli.sandbox.aws.request import AwsRequest
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation

_LONGEST_ROLE_NAME = 64
_ROLE_NAME = re.compile(r"[\w+=,.@-]+")
_PATH = re.compile(r"/|/[!-~]+/")


@dataclass(frozen=True)
class IamRules:
    account: Account

    def check(self, request: AwsRequest) -> None:
        """Raises what IAM would answer instead of what moto would do."""
        parameters = request.parameters
        if request.name == "CreateRole":
            _check_role_name(parameters["RoleName"])
            _check_path(parameters.get("Path") or "/")
            self._check_trust(parameters["AssumeRolePolicyDocument"])
        elif parameters.get("RoleName") and self.account.role(parameters["RoleName"]) is None:
            name = parameters["RoleName"]
            raise no_entity(f"The role with name {name} cannot be found.")
        if request.name == "UpdateAssumeRolePolicy":
            self._check_trust(parameters["PolicyDocument"])
        if boundary := parameters.get("PermissionsBoundary"):
            self._check_boundary(boundary)
        if request.name == "CreateOpenIDConnectProvider":
            self._check_provider(parameters["Url"])

    def _check_trust(self, document: str) -> None:
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


def _check_role_name(name: str) -> None:
    if len(name) > _LONGEST_ROLE_NAME:
        rule = f"Member must have length less than or equal to {_LONGEST_ROLE_NAME}"
    elif not _ROLE_NAME.fullmatch(name):
        rule = r"Member must satisfy regular expression pattern: [\w+=,.@-]+"
    else:
        return
    raise _invalid("roleName", name, rule)


def _check_path(path: str) -> None:
    if not _PATH.fullmatch(path) or len(path) > 512:
        pattern = r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)"
        raise _invalid("path", path, f"Member must satisfy regular expression pattern: {pattern}")


def _invalid(field: str, value: str, rule: str) -> AwsError:
    return AwsError(
        400,
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy "
        f"constraint: {rule}",
    )


def no_entity(message: str) -> AwsError:
    return AwsError(404, "NoSuchEntity", message)
