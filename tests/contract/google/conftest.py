"""A started Google stand-in per test, and Google's own SDKs for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import google.auth
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth.transport.requests import AuthorizedSession
from google.cloud import container_v1, resourcemanager_v3, storage
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials

from anyscale_k8s_cli.sandbox.google.project import account_caller
from anyscale_k8s_cli.sandbox.google.seed import OTHER_PROJECT_NUMBER, TEAM_DATA, BucketSeed
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings, GoogleStandIn
from anyscale_k8s_cli.sandbox.wire import Wire
from tests.issuer import Clock, Issuer

STRANGERS_BUCKET = BucketSeed("somebody-elses", project_number=OTHER_PROJECT_NUMBER)
SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
)


@dataclass
class Google:
    """The stand-in and everything a test wants of it."""

    stand_in: GoogleStandIn
    wire: Wire
    clock: Clock
    issuer: Issuer
    _sessions: list[Any] = field(default_factory=list)

    @cached_property
    def credentials(self) -> service_account.Credentials:
        """The administrator's, by key."""
        return service_account.Credentials.from_service_account_info(
            self.stand_in.key_file(), scopes=list(SCOPES)
        )

    def options(self, service: str) -> ClientOptions:
        return ClientOptions(api_endpoint=self.stand_in.endpoint(service))

    def clusters(self, credentials: Any = None) -> container_v1.ClusterManagerClient:
        return container_v1.ClusterManagerClient(
            credentials=credentials or self.credentials,
            transport="rest",
            client_options=self.options("container"),
        )

    def projects(self, credentials: Any = None) -> resourcemanager_v3.ProjectsClient:
        return resourcemanager_v3.ProjectsClient(
            credentials=credentials or self.credentials,
            transport="rest",
            client_options=self.options("cloudresourcemanager"),
        )

    def storage(self, credentials: Any = None) -> storage.Client:
        client = storage.Client(
            "demo",
            credentials=credentials or self.credentials,
            client_options=self.options("storage"),
        )
        self._sessions.append(client)
        return client

    def session(self, credentials: Any = None) -> AuthorizedSession:
        if credentials is None:
            return self._administrators
        session = AuthorizedSession(credentials)
        self._sessions.append(session)
        return session

    @cached_property
    def _administrators(self) -> AuthorizedSession:
        return self.session(self.credentials)

    def call(
        self, method: str, service: str, path: str, *, credentials: Any = None, **request: Any
    ) -> Any:
        """One call by REST; returns the answer."""
        url = self.stand_in.endpoint(service) + path
        return self.session(credentials).request(method, url, **request)

    def iam(self, method: str, path: str, *, credentials: Any = None, **body: Any) -> Any:
        """One call of the IAM API below the project's accounts that must succeed."""
        path = f"/v1/projects/demo/serviceAccounts{path}"
        answer = self.call(method, "iam", path, credentials=credentials, json=body or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def account(self, account_id: str = "operator", *, settle: bool = True) -> str:
        """A new service account's e-mail; known to everybody if `settle`."""
        made = self.iam("POST", "", accountId=account_id, serviceAccount={"displayName": "x"})
        if settle:
            found = self.stand_in.project.accounts.get(made["email"])
            found.unknown_to.clear()
        return str(made["email"])

    def grant(self, email: str, *bindings: tuple[str, str], settle: bool = True) -> None:
        """Set the policy of an account; in force at once if `settle`."""
        listed = [{"role": role, "members": [member]} for role, member in bindings]
        policy = self.iam("POST", f"/{email}:getIamPolicy")
        self.iam("POST", f"/{email}:setIamPolicy", policy={**policy, "bindings": listed})
        if settle:
            self.settle(self.stand_in.project.accounts.get(email).policy)

    @staticmethod
    def settle(policy: Any) -> None:
        for grant in policy.grants:
            grant.refusals_left = 0

    def token_of(self, email: str) -> Credentials:
        """An access token of an account, as nobody could get it by the API without rights."""
        project = self.stand_in.project
        caller = account_caller(project.accounts.get(email), frozenset(SCOPES))
        return Credentials(project.tokens.issue(caller).value)

    def exchange(self, token: str, **changed: str) -> Any:
        """What a Kubernetes service account's token is exchanged for."""
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "scope": SCOPES[0],
            "audience": f"identitynamespace:demo.svc.id.goog:{self.issuer.url}",
            "subject_token": token,
            **changed,
        }
        return requests.post(f"{self.stand_in.endpoint('sts')}/v1/token", data=form, timeout=10)

    def federated(self, subject: str = "system:serviceaccount:ns:sa") -> Credentials:
        answer = self.exchange(self.issuer.token(subject))
        assert answer.status_code == 200, answer.text
        return Credentials(answer.json()["access_token"])

    def act_as(self, email: str, credentials: Any, verb: str, **body: Any) -> Any:
        """A call of the credentials API."""
        path = f"/v1/projects/-/serviceAccounts/{email}:{verb}"
        return self.call("POST", "iamcredentials", path, credentials=credentials, json=body)

    def close(self) -> None:
        for session in self._sessions:
            session.close()


@pytest.fixture
def settings() -> GoogleSettings:
    """The world of a test; a test module overrides this fixture for another world."""
    return GoogleSettings(buckets=(TEAM_DATA, STRANGERS_BUCKET))


@pytest.fixture
def google_cloud(
    settings: GoogleSettings, signing_key: rsa.RSAPrivateKey, served: Any
) -> Iterator[Google]:
    clock, wire = Clock(), Wire()
    issuer = Issuer(
        settings.clusters[0].issuer, signing_key, "demo.svc.id.goog", "system:serviceaccount:ns:sa"
    )
    settings = replace(settings, clock=clock.now, monotonic=clock.monotonic)
    stand_in = GoogleStandIn(wire, settings, issuer_keys=issuer.keys)
    served(stand_in.start())
    found = Google(stand_in, wire, clock, issuer)
    try:
        yield found
    finally:
        found.close()
        served(stand_in.stop())


@contextmanager
def _refused(status: int, match: str | None = None) -> Iterator[None]:
    with pytest.raises(GoogleAPICallError, match=match) as caught:
        yield
    assert caught.value.code == status


@pytest.fixture
def refused() -> Any:
    """A context in which an SDK's call must be refused with a status and words."""
    return _refused


@pytest.fixture
def default_credentials(google_cloud: Google, tmp_path: Path, monkeypatch: Any) -> Any:
    """What the SDKs find by themselves in the stand-in's environment."""
    for name, value in google_cloud.stand_in.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return google.auth.default(scopes=list(SCOPES))
