"""A container of Azure's that pods reach as an identity of Entra's: with no secret anywhere."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import storage_credentials
from anyscale_k8s_cli.cloud_side import CloudSide, WorkloadEndpoints
from anyscale_k8s_cli.cluster.service_account_tokens import Issuer as Told
from anyscale_k8s_cli.credential_kinds import EntraIdentity
from anyscale_k8s_cli.providers.federation import codes
from anyscale_k8s_cli.providers.federation.entra import DEFAULT_AUDIENCE
from anyscale_k8s_cli.providers.generic import GenericProvider
from anyscale_k8s_cli.providers.generic.azure import AzureStore
from anyscale_k8s_cli.resource import NO_TAGS
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.azure.directory import FederatedCredential, Principal
from anyscale_k8s_cli.sandbox.azure.resources import IDENTITIES
from anyscale_k8s_cli.sandbox.azure.seed import TENANT_ID
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings, AzureStandIn
from anyscale_k8s_cli.spec import CloudSpec, Scope
from tests.issuer import OPERATOR, Issuer

from .conftest import CLUSTER, SAID, TEAM_ACCOUNT, StoreWorld

World = StoreWorld[AzureStandIn]
CONTRIBUTOR = "Storage Blob Data Contributor"
GUID = "00000000-0000-0000-0000-000000000001"


@dataclass
class Tenant:
    """A managed identity of the user's, that trusts nobody and may do nothing yet."""

    world: World
    issuer: Issuer
    resource_id: str
    principal: Principal

    def spec(self, **existing: Any) -> CloudSpec:
        said = {"identity": self.resource_id, **existing}
        # Here nothing takes time to be known everywhere.
        return self.world.spec(existing=said, timeouts={"identity": 0.01})

    def by_client(self) -> CloudSpec:
        return self.spec(identity=self.principal.app_id, identity_provider=TENANT_ID)

    def side(self, spec: CloudSpec) -> CloudSide:
        """In front of a cluster that tells its issuer."""
        world = self.world
        world.provider.check_spec(spec)
        install = world.install(spec, CLUSTER)
        told = Told(self.issuer.url, frozenset())
        store = AzureStore(world.run)
        return store.side(spec, install, world.anyscale, NO_TAGS, lambda: told).cloud

    def setup(self, spec: CloudSpec) -> CloudSide:
        side = self.side(spec)
        self.world.apply(side)
        return side

    def prove(self, side: CloudSide) -> Any:
        assert side.prove_identity is not None
        return side.prove_identity(lambda audience: self.issuer.token(audience=audience))

    def refused(self, call: Callable[[], Any]) -> errors.CliError:
        with pytest.raises(errors.CliError) as caught:
            call()
        return caught.value

    def trust(self, name: str = "lab", **changed: Any) -> None:
        found = FederatedCredential(name, self.issuer.url, OPERATOR, (DEFAULT_AUDIENCE,))
        self.principal.credentials[name] = replace(found, **changed)

    def obey(self, command: str) -> None:
        """As the identity's owner types it."""
        words = shlex.split(command)
        assert words[:4] == ["az", "identity", "federated-credential", "create"]
        said = dict(zip(words[4::2], words[5::2], strict=True))
        assert said["--identity-name"] == "ray"
        self.trust(
            said["--name"],
            issuer=said["--issuer"],
            subject=said["--subject"],
            audiences=(said["--audiences"],),
        )

    def let_in(self, command: str) -> None:
        """As the account's owner types it."""
        words = shlex.split(command.partition(" --scope ")[0])
        azure = self.world.stand_in.world
        said = dict(zip(words[4::2], words[5::2], strict=True))
        bearer = azure.directory.by_app(said["--assignee"])
        assert bearer is not None
        azure.rights.replace(bearer, [{"role": said["--role"]}])


@pytest.fixture
def tenant(azure: Callable[..., World], signing_key: rsa.RSAPrivateKey) -> Tenant:
    issuer = Issuer("https://issuer.example.com", signing_key, "")
    settings = AzureSettings(
        clusters=(),
        accounts=(TEAM_ACCOUNT,),
        replication_attempts=0,
        federation_attempts=0,
        propagation_attempts=0,
    )
    world = azure("Owner", CONTRIBUTOR, settings=settings, issuer_keys=issuer.keys)
    inside = world.stand_in.world
    with inside.lock:
        own_id = inside.resources.id("demo", IDENTITIES, "ray")
        identity = inside.identities.add(own_id, "eastus", {}, settled=True)
        return Tenant(world, issuer, own_id, inside.identities.principal(identity))


def test_what_the_identity_does_not_trust_is_told_before_anything_is_made(tenant: Tenant) -> None:
    planned = tenant.refused(lambda: tenant.setup(tenant.spec()))
    assert planned.code is errors.ADOPTED_UNFIT
    assert f"does not trust {OPERATOR} of {tenant.issuer.url}" in str(planned)
    tenant.obey(planned.fix)
    side = tenant.setup(tenant.spec())
    denied = tenant.refused(lambda: tenant.prove(side))
    assert denied.code is errors.BUCKET_DENIED
    tenant.let_in(denied.fix)
    proven = tenant.prove(side)
    assert f"{OPERATOR} is admitted as ray" in proven[0]
    assert side.storage.output.url in proven[1]
    side = tenant.side(tenant.spec())
    planned_again = {item.change.value for item in tenant.world.plan(side).changes}
    assert planned_again == {"adopt", "none"}


def test_a_credential_for_another_audience_is_written_anew_under_its_own_name(
    tenant: Tenant,
) -> None:
    tenant.trust("theirs", audiences=("elsewhere",))
    told = tenant.refused(lambda: tenant.setup(tenant.spec()))
    assert "with the audience elsewhere alone" in str(told)
    assert "--name theirs" in told.fix


def test_a_client_id_is_shown_by_the_exchange(tenant: Tenant) -> None:
    side = tenant.setup(tenant.by_client())
    assert side.token_audience == DEFAULT_AUDIENCE
    refused = tenant.refused(lambda: tenant.prove(side))
    assert refused.code is codes.FEDERATION_REFUSED
    assert f"az ad app federated-credential create --id {tenant.principal.app_id}" in refused.fix


def test_no_secret_is_in_the_cluster_and_the_token_is_brought(tenant: Tenant) -> None:
    tenant.trust()
    for spec in (tenant.spec(), tenant.by_client()):
        side = tenant.setup(spec)
        assert side.storage_keys is not None
        access = side.storage_keys.output
        assert access == EntraIdentity(
            TENANT_ID, tenant.principal.app_id, tenant.world.stand_in.world.login_url
        )
        manifest = storage_credentials.secret(side.storage.output, access, "ray")
        assert "AZURE_CLIENT_SECRET" not in manifest["data"]
        values = storage_credentials.storage_values(side)
        variables = values["operator"]["container"]["additionalEnv"]
        assert {item["name"] for item in variables} == set(access.variables)
        steps = [step for patch in values["patches"] for step in patch["patch"]]
        volumes = [step["value"] for step in steps if step["path"] == "/spec/volumes/-"]
        token = volumes[0]["projected"]["sources"][0]["serviceAccountToken"]
        assert token["audience"] == side.token_audience


def test_a_teardown_finds_the_container_as_who_is_signed_in_and_leaves_the_identity(
    tenant: Tenant,
) -> None:
    tenant.trust()
    spec = tenant.spec()
    before = tenant.world.snapshot()["identities"]
    side = tenant.setup(spec)
    assert side.storage_keys is not None
    manifest = storage_credentials.secret(side.storage.output, side.storage_keys.output, "ray")
    install = tenant.world.install(spec, CLUSTER)
    manifest["metadata"]["annotations"] |= install.locator()
    [found] = AzureStore(Run()).owned(Scope(), install, manifest)
    assert found.key == side.storage.key
    keys = side.storage_keys
    tenant.refused(lambda: keys.delete(keys.read()))  # type: ignore[arg-type]
    assert tenant.world.snapshot()["identities"] == before


def test_pods_are_told_where_entra_is_where_nobody_else_says_it(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_AUTHORITY_HOST")
    world = tenant.world
    storage = world.cloud_side(tenant.by_client()).storage.output
    found = world.provider.workload_endpoints(tenant.by_client(), CLUSTER, storage)
    assert found == WorkloadEndpoints(tokens="https://login.microsoftonline.com")


@pytest.mark.parametrize(
    ("existing", "told"),
    [
        ({"identity": "ray"}, "--identity"),
        ({"identity": GUID}, "--identity: a client id alone"),
        ({"identity": GUID, "identity_provider": "contoso"}, "--identity-provider: 'contoso'"),
        ({"identity_provider": GUID}, "--identity-provider: which identity"),
        (
            {
                "identity": f"/subscriptions/{GUID}/resourceGroups/g/providers/"
                "Microsoft.ManagedIdentity/userAssignedIdentities/ray",
                "identity_provider": GUID,
            },
            "--identity-provider: a managed identity",
        ),
    ],
)
def test_what_leads_to_no_identity_is_refused_offline(existing: dict[str, Any], told: str) -> None:
    said = {**SAID, "storage": {"account": "team"}, "existing": existing}
    with pytest.raises(errors.CliError) as caught:
        GenericProvider(Run()).check_spec(CloudSpec.model_validate(said))
    assert caught.value.code is errors.INVALID_SPEC
    assert caught.value.message.startswith(told)
