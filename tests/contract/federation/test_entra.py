"""An identity of Entra's that trusts a cluster it knows nothing of but its issuer."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from azure.identity import ClientSecretCredential, WorkloadIdentityCredential
from azure.mgmt.msi import ManagedServiceIdentityClient

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import EntraIdentity
from anyscale_k8s_cli.providers.azureblob.sdk.signed_in import Session
from anyscale_k8s_cli.providers.azureblob.trust import Place
from anyscale_k8s_cli.providers.federation import codes
from anyscale_k8s_cli.providers.federation import entra as federation
from anyscale_k8s_cli.providers.federation.proof import TokenProof
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.azure.seed import SUBSCRIPTION_ID, TENANT_ID
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings, AzureStandIn
from anyscale_k8s_cli.sandbox.issuers import published_keys
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.storage_token import PATH
from tests.issuer import OPERATOR, Issuer

GROUP, NAME = "demo", "ray"
STORAGE = "https://storage.azure.com/.default"


@dataclass
class Tenant:
    """A managed identity, and its owner who says whom it trusts."""

    stand_in: AzureStandIn
    issuer: Issuer
    run: Run
    bundle: Path
    used: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        admin = self.stand_in.world.admin
        credential = ClientSecretCredential(TENANT_ID, admin.app_id, admin.secret, **self.options)
        self._owner = ManagedServiceIdentityClient(
            credential,
            SUBSCRIPTION_ID,
            base_url=self.stand_in.url,
            connection_verify=str(self.bundle),
            retry_total=0,
        )
        made = self._owner.user_assigned_identities.create_or_update(
            GROUP, NAME, {"location": "eastus"}
        )
        self.client = str(made.client_id)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "authority": self.stand_in.world.login_url,
            "disable_instance_discovery": True,
            "connection_verify": str(self.bundle),
        }

    @property
    def access(self) -> EntraIdentity:
        return EntraIdentity(TENANT_ID, self.client, self.stand_in.world.login_url)

    def trust(self, **changed: Any) -> None:
        wanted = {
            "issuer": self.issuer.url,
            "subject": OPERATOR,
            "audiences": [federation.DEFAULT_AUDIENCE],
        }
        self._owner.federated_identity_credentials.create_or_update(
            GROUP, NAME, "lab", {**wanted, **changed}
        )

    def obey(self, command: str) -> None:
        """As the identity's owner types it; where the identity is, he may have had listed."""
        words = shlex.split(command[command.rindex(" --name ") :])
        options = dict(zip(words[::2], words[1::2], strict=True))
        self.trust(
            issuer=options["--issuer"],
            subject=options["--subject"],
            audiences=[options["--audiences"]],
        )

    def prove(
        self,
        access: EntraIdentity | None = None,
        issuer: Issuer | None = None,
        place: Place | None = None,
    ) -> Any:
        exchange = federation.EntraExchange(
            Session(self.run), access or self.access, federation.DEFAULT_AUDIENCE, "lab", place
        )
        proof = TokenProof(
            self.run,
            federation.DEFAULT_AUDIENCE,
            exchange,
            "data",
            lambda credential, _: self.used.append(credential.get_token(STORAGE).token),
            patience=0,
        )
        tokens = issuer or self.issuer
        return proof(lambda audience: tokens.token(audience=audience))

    def refused(self, **said: Any) -> errors.CliError:
        with pytest.raises(errors.CliError) as caught:
            self.prove(**said)
        assert caught.value.code is codes.FEDERATION_REFUSED
        assert f"its subject is {OPERATOR}" in caught.value.evidence
        return caught.value


@pytest.fixture
def tenant(
    authority: Authority,
    issuer: Issuer,
    run: Run,
    served: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Tenant]:
    trusted = authority.client_context()
    stand_in = AzureStandIn(
        Wire(),
        authority,
        AzureSettings(clusters=(), replication_attempts=0, federation_attempts=0),
        issuer_keys=lambda url: published_keys(url, trusted),
    )
    served(stand_in.start())
    for name, value in stand_in.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    yield Tenant(stand_in, issuer, run, tmp_path / "ca.pem")
    served(stand_in.stop())


def test_what_the_credential_names_is_admitted_to_storage(tenant: Tenant) -> None:
    tenant.trust()
    lines = tenant.prove()
    assert OPERATOR in lines[0]
    assert len(tenant.used) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://127.0.0.1:1"},
        {"subject": "system:serviceaccount:other:sa"},
        {"audiences": ["somebody-else"]},
    ],
)
def test_the_credential_that_is_told_is_the_one_that_helps(
    tenant: Tenant, wrong: dict[str, Any]
) -> None:
    tenant.trust(**wrong)
    told = tenant.refused(place=Place(GROUP, NAME)).fix
    tenant.obey(told)
    assert tenant.prove()


def test_a_client_alone_may_be_an_application_or_a_managed_identity(tenant: Tenant) -> None:
    application, _, identity = tenant.refused().fix.partition("; ")
    words = shlex.split(application.partition(": ")[2])
    assert words[:6] == ["az", "ad", "app", "federated-credential", "create", "--id"]
    assert words[6] == tenant.client
    assert json.loads(words[8])["subject"] == OPERATOR
    assert f"[?clientId=='{tenant.client}']" in identity
    tenant.obey(identity)
    assert tenant.prove()


def test_an_identity_that_there_is_not_is_told_by_its_options(tenant: Tenant) -> None:
    nobody = replace(tenant.access, client="00000000-0000-0000-0000-000000000001")
    assert "correct --identity" in tenant.refused(access=nobody).fix


def test_an_issuer_that_nobody_can_read_is_told_apart(tenant: Tenant) -> None:
    hidden = Issuer("https://127.0.0.1:1", tenant.issuer.key, "")
    tenant.trust(issuer=hidden.url)
    assert "can be read from the internet" in tenant.refused(issuer=hidden).fix


def test_the_variables_are_those_that_azures_own_sdk_reads(
    tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.trust()
    variables = dict(tenant.access.variables)
    assert variables["AZURE_FEDERATED_TOKEN_FILE"] == PATH
    file = tmp_path / "token"
    file.write_text(tenant.issuer.token(audience=federation.DEFAULT_AUDIENCE))
    for name, value in {**variables, "AZURE_FEDERATED_TOKEN_FILE": str(file)}.items():
        monkeypatch.setenv(name, value)
    credential = WorkloadIdentityCredential(
        disable_instance_discovery=True, connection_verify=str(tenant.bundle)
    )
    assert credential.get_token("https://storage.azure.com/.default").token


def test_the_variables_are_read_again_as_they_were_written(tenant: Tenant) -> None:
    for access in (tenant.access, replace(tenant.access, authority="")):
        assert EntraIdentity.read(access.variables) == access
    assert EntraIdentity.read({"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}) is None
