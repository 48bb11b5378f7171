"""A pool of Google's that admits a cluster it knows nothing of but its issuer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.auth import identity_pool
from google.auth.transport.requests import Request

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import GooglePool
from anyscale_k8s_cli.providers.federation import codes
from anyscale_k8s_cli.providers.federation import google as federation
from anyscale_k8s_cli.providers.federation.proof import TokenProof
from anyscale_k8s_cli.providers.federation.sdk.session import Session
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.google.policies import Grant
from anyscale_k8s_cli.sandbox.google.project import PoolProvider
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings, GoogleStandIn
from anyscale_k8s_cli.sandbox.issuers import published_keys
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.storage_token import PATH
from tests.issuer import OPERATOR, Issuer

POOL = "locations/global/workloadIdentityPools/onprem"
EMAIL = "onprem-ray@demo.iam.gserviceaccount.com"
USER = "roles/iam.workloadIdentityUser"
SIGNER = "roles/iam.serviceAccountTokenCreator"


@dataclass
class Project:
    """A project with a service account and, once it was made, a provider of the pool."""

    stand_in: GoogleStandIn
    issuer: Issuer
    run: Run
    used: list[str] = field(default_factory=list)

    @property
    def provider(self) -> str:
        return f"projects/{self.stand_in.project.number}/{POOL}/providers/lab"

    @property
    def access(self) -> GooglePool:
        sts, iam = (self.stand_in.endpoint(name) for name in ("sts", "iamcredentials"))
        return GooglePool(self.provider, EMAIL, sts, iam)

    def admit(self, *audiences: str, issuer: str = "") -> None:
        made = PoolProvider(issuer or self.issuer.url, audiences)
        self.stand_in.project.providers[self.provider] = made

    def bind(self, member: str, role: str = USER) -> None:
        account = self.stand_in.project.accounts.get(EMAIL)
        account.policy.grants.append(Grant(role, member))

    def prove(self, access: GooglePool | None = None, issuer: Issuer | None = None) -> Any:
        audience = federation.default_audience(self.provider)
        exchange = federation.PoolExchange(Session(self.run), access or self.access, audience)
        proof = TokenProof(
            self.run,
            audience,
            exchange,
            "gs://team-data",
            lambda token, _: self.used.append(token),
            patience=0,
        )
        tokens = issuer or self.issuer
        return proof(lambda audience: tokens.token(audience=audience))

    def refused(self) -> errors.CliError:
        with pytest.raises(errors.CliError) as caught:
            self.prove()
        assert caught.value.code is codes.FEDERATION_REFUSED
        assert f"its subject is {OPERATOR}" in caught.value.evidence
        return caught.value


@pytest.fixture
def project(authority: Authority, issuer: Issuer, run: Run, served: Any) -> Iterator[Project]:
    trusted = authority.client_context()
    stand_in = GoogleStandIn(
        Wire(),
        GoogleSettings(clusters=(), refused_attempts=0),
        issuer_keys=lambda url: published_keys(url, trusted),
    )
    served(stand_in.start())
    stand_in.project.accounts.create({"accountId": "onprem-ray"})
    yield Project(stand_in, issuer, run)
    served(stand_in.stop())


def caller_of(project: Project) -> str:
    """Whom Google takes the access token for that the bucket was to be used with."""
    [token] = project.used
    found = project.stand_in.project.caller(token)
    assert found is not None
    return found.member


def test_a_bound_principal_acts_as_the_account(project: Project) -> None:
    project.admit()
    project.bind(federation.principal(project.provider, OPERATOR))
    project.bind(f"serviceAccount:{EMAIL}", role=SIGNER)
    lines = project.prove()
    assert EMAIL in lines[0]
    assert caller_of(project) == f"serviceAccount:{EMAIL}"


def test_an_account_that_may_not_sign_is_told_how_it_may(project: Project) -> None:
    project.admit()
    project.bind(federation.principal(project.provider, OPERATOR))
    fix = project.refused().fix
    binding = json.loads(fix[fix.index("{") :])
    assert binding["members"] == [f"serviceAccount:{EMAIL}"]
    project.bind(*binding["members"], role=binding["role"])
    assert project.prove()


def test_a_provider_that_there_is_not_is_told_with_all_it_needs(project: Project) -> None:
    fix = project.refused().fix
    assert fix.startswith(f"make the pool's provider {project.provider}")
    wanted = json.loads(fix[fix.index("{") :])
    assert wanted["oidc"]["issuerUri"] == project.issuer.url
    project.admit(*wanted["oidc"]["allowedAudiences"], issuer=wanted["oidc"]["issuerUri"])
    assert "workloadIdentityUser" in project.refused().fix


@pytest.mark.parametrize(
    "given", [{"issuer": "https://127.0.0.1:1"}, {"audiences": ("somebody-else",)}]
)
def test_a_provider_of_another_issuer_or_audience_is_told_so(
    project: Project, given: dict[str, Any]
) -> None:
    project.admit(*given.get("audiences", ()), issuer=given.get("issuer", ""))
    problem = project.refused()
    assert "does not match" in problem.cause
    assert problem.fix.startswith("give the pool's provider")


def test_the_binding_that_is_told_is_the_one_that_helps(project: Project) -> None:
    project.admit()
    project.bind(federation.principal(project.provider, "system:serviceaccount:other:sa"))
    fix = project.refused().fix
    binding = json.loads(fix[fix.index("{") :])
    assert binding["role"] == USER
    project.bind(binding["members"][0])
    project.bind(f"serviceAccount:{EMAIL}", role=SIGNER)
    assert project.prove()


def test_an_issuer_that_nobody_can_read_is_told_apart(project: Project) -> None:
    hidden = Issuer("https://127.0.0.1:1", project.issuer.key, "")
    project.admit(issuer=hidden.url)
    with pytest.raises(errors.CliError) as caught:
        project.prove(issuer=hidden)
    assert "can be read from the internet" in caught.value.fix


def test_the_file_is_one_that_googles_own_sdk_exchanges(project: Project, tmp_path: Path) -> None:
    project.admit()
    project.bind(federation.principal(project.provider, OPERATOR))
    token = tmp_path / "token"
    audience = federation.default_audience(project.provider)
    token.write_text(project.issuer.token(audience=audience))
    said = json.loads(project.access.text)
    assert said["credential_source"]["file"] == PATH
    said["credential_source"]["file"] = str(token)
    credentials = identity_pool.Credentials.from_info(said, scopes=[federation.SCOPE])
    credentials.refresh(Request())
    found = project.stand_in.project.caller(credentials.token)
    assert found is not None
    assert found.email == EMAIL


def test_the_file_is_read_again_as_it_was_written(project: Project) -> None:
    assert GooglePool.read({GooglePool.FILE: project.access.text}) == project.access
    assert GooglePool.read({GooglePool.FILE: '{"type": "service_account"}'}) is None
    assert GooglePool.read({GooglePool.FILE: "no file"}) is None
