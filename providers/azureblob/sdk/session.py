"""Calls to Azure: how often they are repeated, what is reported of each, and by whom."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import AzureAuthorityHosts, ClientSecretCredential

from anyscale_k8s_cli import tool_version
from anyscale_k8s_cli.credential_kinds import AzureSecret
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.azureblob.sdk import failures
from anyscale_k8s_cli.run import Run

T = TypeVar("T")

# Of every client. Seconds; the SDK's own patience would be for minutes. What changes
# nothing when it is repeated is repeated: 408, 429, 5xx and connections that broke.
PATIENCE: Mapping[str, Any] = {
    "connection_timeout": 5,
    "read_timeout": 30,
    "retry_total": 4,
    "retry_backoff_factor": 0.3,
    "retry_backoff_max": 10,
}
_KNOWN = frozenset(
    {
        AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
        AzureAuthorityHosts.AZURE_CHINA,
        AzureAuthorityHosts.AZURE_GOVERNMENT,
    }
)


class Calls(ABC):
    """Calls of the SDKs on somebody's behalf."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @property
    @abstractmethod
    def credential(self) -> Any:
        """The SDK's credential."""

    @cached_property
    def manner(self) -> Mapping[str, Any]:
        """What every client gets: how patient it is, and the connections that all of them use."""
        return {**PATIENCE, "transport": RequestsTransport(**PATIENCE)}

    @property
    @abstractmethod
    def asker(self) -> failures.Asker:
        """Who that is, for messages; asks nothing."""

    def ask(self, what: str, call: Callable[[], T]) -> T:
        """An SDK's answer; `what` is the right that the call takes. Raises `CloudFailure`."""
        started, status = time.monotonic(), "200"
        try:
            with self.run.asking(f"Azure ({what})"):
                return call()
        except AzureError as problem:
            failure = failures.of(problem, what, self.asker)
            status = f"{failure.status or type(problem).__name__} {failure.api_code}".rstrip()
            raise failure from problem
        finally:
            seconds = time.monotonic() - started
            self.run.emit(CallMade(service="azure", call=what, status=status, seconds=seconds))

    def find(self, what: str, call: Callable[[], T]) -> T | None:
        """The same; None when Azure says that there is no such thing."""
        try:
            return self.ask(what, call)
        except CloudFailure as failure:
            if failure.status == 404 and failure.api_code in failures.ABSENT:
                return None
            raise


class SecretSession(Calls):
    """An application of Entra's, with a client secret of it. Safe for threads."""

    def __init__(self, run: Run, secret: AzureSecret, role: str) -> None:
        super().__init__(run)
        self._secret = secret
        self._role = role

    @cached_property
    def credential(self) -> Any:
        secret = self._secret
        authority = secret.authority.removeprefix("https://").rstrip("/")
        authority = authority or AzureAuthorityHosts.AZURE_PUBLIC_CLOUD
        try:
            return ClientSecretCredential(
                secret.tenant,
                secret.client,
                secret.secret,
                authority=f"https://{authority}",
                # Where it is not one of Microsoft's, their directory does not know it.
                disable_instance_discovery=authority not in _KNOWN,
                **self.manner,
            )
        except ValueError as problem:
            raise failures.of_variables(problem) from problem

    @property
    def principal(self) -> str:
        return self._secret.client

    @property
    def asker(self) -> failures.Asker:
        return failures.Asker(f"the application {self.principal}", role=self._role)


def agent() -> str:
    return f"anyscale-k8s-cli/{tool_version()}"
