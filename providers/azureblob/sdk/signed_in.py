"""The session with Azure of whoever is signed in on this machine: credentials, clients, and what
is reported of each call."""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar

from azure.core.pipeline.policies import RetryPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest
from azure.identity import ClientAssertionCredential, DefaultAzureCredential
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from anyscale_k8s_cli.cluster.access import BearerToken
from anyscale_k8s_cli.providers.azureblob.sdk import clouds, failures
from anyscale_k8s_cli.providers.azureblob.sdk.clouds import AzureCloud
from anyscale_k8s_cli.providers.azureblob.sdk.session import Calls, agent
from anyscale_k8s_cli.run import Run

T = TypeVar("T")

# Seconds that an executable which the SDK asks for a token may take.
_PROCESS_SECONDS = 30


class Session(Calls):
    """Whoever this machine's environment is to Azure, in one subscription. Safe for threads.

    `role` is what messages say of the rights that a refused call takes. Without a
    subscription it has no clients of Resource Manager's.
    """

    def __init__(self, run: Run, subscription: str = "", *, role: str = "") -> None:
        super().__init__(run)
        self.subscription = subscription
        self._role = role
        self._lock = threading.RLock()
        self._clients: dict[str, Any] = {}
        self._claims: Mapping[str, Any] | None = None

    # -- where things are, and who we are --------------------------------------------

    @cached_property
    def cloud(self) -> AzureCloud:
        """Raises `invalid-spec`, `azure-unreachable`."""
        with self._lock:
            return clouds.present(self.manner["transport"])

    @cached_property
    def credential(self) -> Any:
        """The SDK's credential: variables, a workload's or machine's identity, a login.

        Raises `cloud-credentials-missing` for variables that cannot be right.
        """
        try:
            return DefaultAzureCredential(process_timeout=_PROCESS_SECONDS, **self._login)
        except ValueError as problem:
            raise failures.of_variables(problem) from problem

    def federated(self, tenant: str, client_id: str, token: str) -> Any:
        """The credential of whatever identity trusts a cluster's token."""
        return ClientAssertionCredential(tenant, client_id, lambda: token, **self._login)

    @property
    def _login(self) -> dict[str, Any]:
        # Where it is not one of Microsoft's, only the cloud itself knows its login endpoint.
        return {
            "authority": self.cloud.authority,
            "disable_instance_discovery": not self.cloud.known,
            **self.manner,
        }

    def token(self, scope: str, credential: Any = None) -> BearerToken:
        """A token that is still good for a while. Raises `CloudFailure`."""
        found = self.ask(scope, lambda: (credential or self.credential).get_token(scope))
        return BearerToken(found.token, datetime.fromtimestamp(found.expires_on, UTC))

    @property
    def claims(self) -> Mapping[str, Any]:
        """What the own token for Resource Manager says of its bearer."""
        if self._claims is None:
            self._claims = _claims(self.token(self.cloud.scope).value)
        return self._claims

    @property
    def principal(self) -> str:
        """Who that is: a user's name, or the id of an application."""
        names = ("upn", "unique_name", "preferred_username", "appid", "oid")
        return next((str(self.claims[name]) for name in names if self.claims.get(name)), "")

    @property
    def object_id(self) -> str:
        """Its id in the directory."""
        return str(self.claims.get("oid", ""))

    # -- calls -----------------------------------------------------------------------------

    def client(self, name: str, make: Callable[[Mapping[str, Any]], T]) -> T:
        """An SDK's client for Resource Manager, made with the given arguments when first asked for.

        One serves all threads.
        """
        with self._lock:
            if name not in self._clients:
                self._clients[name] = make(self._arguments)
            found: T = self._clients[name]
            return found

    @property
    def _arguments(self) -> Mapping[str, Any]:
        return {
            "credential": self.credential,
            "subscription_id": self.subscription,
            "base_url": self.cloud.resource_manager,
            "credential_scopes": [self.cloud.scope],
            "user_agent": agent(),
            **self.manner,
        }

    def get(self, what: str, path: str, version: str) -> dict[str, Any]:
        """What Resource Manager has at a path, where it is not worth an SDK of its own."""
        url = f"{self.cloud.resource_manager}{path}?api-version={version}"
        return self._send(what, HttpRequest("GET", url))

    def post(self, what: str, path: str, version: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What Resource Manager answers to a question; nothing may be changed by it."""
        url = f"{self.cloud.resource_manager}{path}?api-version={version}"
        return self._send(what, HttpRequest("POST", url, json=body))

    def pages(self, what: str, path: str, version: str) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page."""
        url = f"{self.cloud.resource_manager}{path}?api-version={version}"
        while url:
            page = self._send(what, HttpRequest("GET", url))
            yield from page.get("value", [])
            url = str(page.get("nextLink") or "")

    def _send(self, what: str, request: HttpRequest) -> dict[str, Any]:
        def call() -> Any:
            answer = self._plain.send_request(request)
            answer.raise_for_status()
            return answer.json()

        found: dict[str, Any] = self.ask(what, call)
        return found

    @property
    def _plain(self) -> Any:
        return self.client(
            "plain",
            lambda arguments: ARMPipelineClient(
                arguments["base_url"],
                policies=[
                    UserAgentPolicy(agent()),
                    RetryPolicy(**self.manner),
                    ARMChallengeAuthenticationPolicy(self.credential, self.cloud.scope),
                ],
                transport=arguments["transport"],
            ),
        )

    @property
    def asker(self) -> failures.Asker:
        # Only if it is known by now: a message must not ask anything.
        return failures.Asker(self.principal if self._claims else "", self.subscription, self._role)


def _claims(token: str) -> Mapping[str, Any]:
    part = token.split(".")[1:2]
    try:
        found = json.loads(base64.urlsafe_b64decode("".join(part) + "=="))
    except (ValueError, binascii.Error):
        return {}
    return found if isinstance(found, Mapping) else {}
