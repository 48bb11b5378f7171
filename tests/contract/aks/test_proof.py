"""The identity proven by use, and what is said when the proof fails."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.providers.aks import codes
from anyscale_k8s_cli.providers.azureblob import codes as azure_codes
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Trust
from anyscale_k8s_cli.sandbox.azure.seed import ANYSCALE_APP_ID
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind
from tests.issuer import OPERATOR

from .conftest import CLUSTER, World
from .test_setup import ACCOUNT, IDENTITY, azure, drop_container, of_kind

# Long enough for the stand-in's lag, short enough for a test that fails.
IMPATIENT: dict[str, Any] = {"timeouts": {"identity": 0.5}}


def refused(world: World, side: CloudSide, token: Any = None) -> errors.CliError:
    with pytest.raises(errors.CliError) as caught:
        world.prove(side, token)
    return caught.value


def trust(world: World, wanted: Trust) -> None:
    azure(world).identities.put_trust("demo", IDENTITY, "anyscale-operator", wanted)


def test_the_proof_leaves_no_object(world: World) -> None:
    side = world.setup()
    lines = world.prove(side)
    assert IDENTITY in lines[0]
    assert ACCOUNT in lines[1]
    containers = world.snapshot()["storage_accounts"][ACCOUNT]["containers"]
    assert containers["anyscale-data"]["blobs"] == {}


def test_what_is_new_is_waited_for(world: World) -> None:
    side = world.setup()
    calls = world.calls(lambda: world.prove(side))
    tokens = [call.status for call in calls if call.operation.service == "entra"]
    assert tokens[0] >= 400
    assert 200 in tokens
    assert 403 in [call.status for call in calls if call.operation.service != "entra"]


def test_an_issuer_without_its_slash(world: World) -> None:
    side = world.setup()
    trust(world, Trust(CLUSTER.issuer.rstrip("/"), OPERATOR))
    error = refused(world, side)
    assert error.code is codes.ISSUER_MISMATCH
    assert "the slash at its end too" in error.cause
    assert "AADSTS700211" in error.evidence[0]
    assert f"--issuer {CLUSTER.issuer} --subject {OPERATOR}" in error.fix


def test_an_issuer_of_another_cluster(world: World) -> None:
    side = world.setup()
    trust(world, Trust("https://eastus.oic.example/other/", OPERATOR))
    error = refused(world, side)
    assert error.code is codes.ISSUER_MISMATCH
    assert error.cause == "it trusts https://eastus.oic.example/other/"


@pytest.mark.parametrize(
    "subject", ["system:serviceaccount:elsewhere:anyscale-operator", OPERATOR.title()]
)
def test_a_trust_for_another_account(world: World, subject: str) -> None:
    side = world.setup()
    trust(world, Trust(CLUSTER.issuer, subject))
    error = refused(world, side)
    assert error.code is codes.SUBJECT_MISMATCH
    assert subject in error.cause


def test_no_identity(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    azure(world).identities.delete("demo", IDENTITY)
    assert refused(world, side).code is codes.IDENTITY_MISSING


class TestSlowDirectory:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return replace(settings, federation_attempts=1000)

    def test_a_trust_that_does_not_come_into_force(self, world: World) -> None:
        side = world.setup(world.spec(**IMPATIENT))
        error = refused(world, side)
        assert error.code is codes.IDENTITY_NOT_USABLE
        assert "AADSTS70021" in error.cause


class TestWithoutAnyscale:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return replace(settings, anyscale_known=False)

    def test_its_application_is_not_in_the_tenant(self, world: World) -> None:
        error = refused(world, world.setup())
        assert error.code is codes.ANYSCALE_NOT_IN_TENANT
        assert error.fix == f"az ad sp create --id {ANYSCALE_APP_ID}"


def test_no_role(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    of_kind(side, "role-assignment").delete(side.identity.observed)
    error = refused(world, side)
    assert error.code is codes.ASSIGNMENT_MISSING
    assert side.identity.output.registered in error.fix


class TestSlowStorage:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return replace(settings, propagation_attempts=1000)

    def test_a_role_that_does_not_come_into_force(self, world: World) -> None:
        error = refused(world, world.setup(world.spec(**IMPATIENT)))
        assert error.code is codes.ASSIGNMENT_NOT_IN_FORCE
        assert error.exit_code is errors.ExitCode.TIMED_OUT


class TestSlowPrincipals:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return replace(settings, replication_attempts=1000)

    def test_a_principal_that_never_comes(self, world: World) -> None:
        with pytest.raises(errors.CliError) as caught:
            world.setup(world.spec(**IMPATIENT))
        assert caught.value.code is azure_codes.AZURE_FAILED
        assert "PrincipalNotFound" in caught.value.cause


def test_no_container(world: World) -> None:
    side = world.setup()
    drop_container(azure(world))
    assert refused(world, side).code is errors.BUCKET_MISSING


def test_storage_that_does_not_let_anybody_in_from_here(world: World) -> None:
    side = world.setup(world.spec(**IMPATIENT))
    world.fault("*Blob*", FaultKind.ERROR, status=403, code="AuthorizationFailure", times=0)
    error = refused(world, side)
    assert error.code is errors.BUCKET_DENIED
    assert "firewall" in error.fix


def test_a_token_that_is_not_the_clusters(world: World) -> None:
    side = world.setup()
    error = refused(world, side, lambda audience: world.token(audience)[:-8] + "AAAAAAAA")
    assert error.code is errors.CLOUD_CREDENTIALS_REJECTED
    assert "AADSTS700027" in error.cause
