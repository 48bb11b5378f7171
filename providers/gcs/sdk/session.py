"""The session with Google: credentials, where its APIs are, what is reported of each call."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import google.auth
import requests
from google.api_core.client_options import ClientOptions
from google.auth import exceptions as auth_errors
from google.auth import impersonated_credentials
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2 import service_account
from requests.adapters import HTTPAdapter

from anyscale_k8s_cli import tool_version
from anyscale_k8s_cli.cluster.access import BearerToken
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.gcs import codes
from anyscale_k8s_cli.providers.gcs.sdk import failures
from anyscale_k8s_cli.run import Run

T = TypeVar("T")

# Seconds: to connect, to read.
TIMEOUT = (5.0, 30.0)
SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    # Without it a cluster knows the caller by a number alone.
    "https://www.googleapis.com/auth/userinfo.email",
)
# Seconds. Every call is repeated while Google is busy or gives no answer, writes too: what
# a write that was done after all answers to its repetition, its resource knows.
_BUSY_SECONDS, _SILENT_SECONDS = 30.0, 3.0
_BUSY = (429, 500, 502, 503, 504)
# Where Google's own command line is told that an API is elsewhere:
# https://cloud.google.com/sdk/gcloud/reference/topic/configurations
_OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
_KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_PATHS = ("/storage/v1", "/compute/v1")


class Session:
    """Credentials of this machine (application default), for one project. Safe for threads.

    With `impersonate` everything is done as that service account. `key` is the text of a key
    file, which is used instead of what this machine has. `role` tells who is refused how to
    learn of all that is needed.
    """

    def __init__(
        self,
        run: Run,
        project: str,
        impersonate: str | None = None,
        *,
        key: str | None = None,
        role: str = "",
    ) -> None:
        self.run = run
        self.project = project
        self._impersonate = impersonate
        self._key = key
        self._role = role
        self._lock = threading.RLock()
        self._clients: dict[str, Any] = {}

    # -- who we are ------------------------------------------------------------------

    @cached_property
    def credentials(self) -> Any:
        """Google's credentials object. Raises `cloud-credentials-missing`."""
        found = _signed_in()[0] if self._key is None else _with_key(self._key)
        if not self._impersonate:
            return found
        elsewhere = self._override("iamcredentials")
        path = f"/v1/projects/-/serviceAccounts/{self._impersonate}:generateAccessToken"
        return impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
            source_credentials=found,
            target_principal=self._impersonate,
            target_scopes=SCOPES,
            iam_endpoint_override=f"{elsewhere}{path}" if elsewhere else None,
        )

    @property
    def principal(self) -> str:
        """The e-mail of the service account in use; empty for a person's credentials."""
        email = str(getattr(self.credentials, "service_account_email", "") or "")
        return email if "@" in email else ""

    @property
    def member(self) -> str:
        """How policies name the caller, for commands to copy."""
        return f"serviceAccount:{self.principal}" if self.principal else "user:<your e-mail>"

    def bearer(self) -> BearerToken:
        """An access token that is still good for a while."""
        with self._lock:
            if not self.credentials.valid:
                self._refresh()
            token, expiry = self.credentials.token, self.credentials.expiry
            return BearerToken(token, expiry.replace(tzinfo=UTC) if expiry else None)

    def _refresh(self) -> None:
        try:
            self.credentials.refresh(Request())
        except auth_errors.GoogleAuthError as problem:
            raise failures.of_credentials(
                problem, "an access token", self._impersonate
            ) from problem

    # -- where things are --------------------------------------------------------------

    def endpoint(self, service: str) -> str:
        """The base address of an API, with no slash at its end.

        As Google's own command line is told, else in the universe of the credentials.
        """
        return self._override(service) or f"https://{service}.{self.universe}"

    @property
    def universe(self) -> str:
        """The domain of Google's APIs for these credentials."""
        domain: str = self.credentials.universe_domain
        return domain

    def options(self, service: str) -> ClientOptions:
        return ClientOptions(api_endpoint=self.endpoint(service))

    @staticmethod
    def _override(service: str) -> str:
        base = os.environ.get(f"{_OVERRIDE}{service.upper()}", "").rstrip("/")
        for path in _PATHS:
            base = base.removesuffix(path)
        return base

    # -- calls ---------------------------------------------------------------------------

    def client(self, name: str, make: Callable[[], T]) -> T:
        """An SDK's client, made when first asked for; one for all threads."""
        with self._lock:
            if name not in self._clients:
                self._clients[name] = make()
            found: T = self._clients[name]
            return found

    def ask(self, what: str, call: Callable[[], T]) -> T:
        """An SDK's answer; `what` is the permission that the call needs. Raises `CloudFailure`.

        The SDK's own repetition is to be off: it would not hear of an interruption.
        """

        def attempt() -> T:
            with self._reported(what):
                return call()

        return self._repeated(what, attempt)

    def find(self, what: str, call: Callable[[], T]) -> T | None:
        """The same; None when Google says that there is no such thing."""
        try:
            return self.ask(what, call)
        except CloudFailure as failure:
            if failure.api_code == failures.ABSENT:
                return None
            raise

    def rest(
        self,
        what: str,
        method: str,
        service: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        bearer: str | None = None,
    ) -> dict[str, Any]:
        """One call by REST, as the session's user or with somebody else's token.

        Raises `CloudFailure`.
        """
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        session = self._anonymous if bearer is not None else self._authorized

        def attempt() -> dict[str, Any]:
            with self._reported(what) as status:
                answer = session.request(
                    method,
                    self.endpoint(service) + path,
                    json=body,
                    params=query,
                    headers=headers,
                    timeout=TIMEOUT,
                )
                status[0] = str(answer.status_code)
            content = failures.body_of(answer) if answer.content else {}
            if answer.status_code >= 400:
                raise failures.of_answer(answer.status_code, content, what, self._asker())
            return content

        return self._repeated(what, attempt)

    def _repeated(self, what: str, attempt: Callable[[], T]) -> T:
        started = time.monotonic()

        def passing(problem: BaseException) -> bool:
            if not isinstance(problem, CloudFailure):
                return False
            silent = problem.code is codes.GCP_UNREACHABLE
            patience = _SILENT_SECONDS if silent else _BUSY_SECONDS
            worth_it = silent or problem.status in _BUSY
            return worth_it and time.monotonic() - started < patience

        with self.run.asking(f"Google ({what})"):
            return self.run.retry(attempt, retriable=passing, what=what, timeout=_BUSY_SECONDS)

    @cached_property
    def _authorized(self) -> AuthorizedSession:
        return _persistent(AuthorizedSession(self.credentials))  # type: ignore[no-untyped-call]

    @cached_property
    def _anonymous(self) -> requests.Session:
        return _persistent(requests.Session())

    @contextmanager
    def _reported(self, what: str) -> Iterator[list[str]]:
        """Tells of a call, and puts what the SDK raises in our words."""
        started, status = time.monotonic(), ["200"]
        try:
            yield status
        except failures.RAISED as problem:
            status[0] = failures.word_for(problem)
            raise failures.of_sdk(problem, what, self._asker()) from problem
        finally:
            seconds = time.monotonic() - started
            self.run.emit(CallMade(service="google", call=what, status=status[0], seconds=seconds))

    def _asker(self) -> failures.Asker:
        return failures.Asker(self.principal, self.project, self._impersonate, self._role)


def default_project() -> str:
    """The project that this machine's credentials or variables name; empty if none."""
    _, project = _signed_in()
    return project


def _signed_in() -> tuple[Any, str]:
    """Google's application default credentials, and the project that they name.

    Raises `cloud-credentials-missing`.
    """
    _check_key_file(os.environ.get(_KEY_FILE, ""))
    try:
        found, project = google.auth.default(scopes=SCOPES)
    except auth_errors.GoogleAuthError as problem:
        raise failures.of_sdk(problem, "credentials", failures.Asker()) from problem
    return found, project or ""


def _with_key(text: str) -> Any:
    """The credentials that a key file's text makes. Raises `cloud-credentials-missing`."""
    try:
        return service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            json.loads(text), scopes=SCOPES
        )
    except (ValueError, auth_errors.GoogleAuthError) as problem:
        raise failures.of_key_file("a key file", str(problem)) from problem


def _check_key_file(path: str) -> None:
    """Google's library takes for granted that it can be read and holds a JSON object."""
    if not path:
        return
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise failures.of_key_file(path, str(problem)) from problem
    if not isinstance(content, dict):
        raise failures.of_key_file(path, f"it holds no JSON object but a {type(content).__name__}")


S = TypeVar("S", bound=requests.Session)


def _persistent(session: S) -> S:
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=20))
    session.headers["User-Agent"] = f"anyscale-k8s-cli/{tool_version()}"
    return session
