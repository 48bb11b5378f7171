"""A key of the company's own that encrypts the storage account: looked at first, and enforced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.aks.encryption_key import ASSIGN, ROLE_NAME
from anyscale_k8s_cli.providers.aks.sdk.vaults import RIGHTS
from anyscale_k8s_cli.sandbox.azure.key_vaults import VAULTS
from anyscale_k8s_cli.sandbox.azure.seed import OWN_KEY, IdentitySeed, VaultSeed
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings
from anyscale_k8s_cli.spec import CloudSpec

from .conftest import CLUSTER, GROUP, IDENTITIES, World
from .test_rights import OF_KEYS, role, used
from .test_setup import ACCOUNT, ALL, azure

Start = Callable[[AzureSettings], World]
VAULT = VaultSeed("team-keys", ("data", "other"), users=("keys-user",))
KEY = f"{VAULT.uri}keys/data"
USER = IDENTITIES + "keys-user"
SETTINGS = AzureSettings(
    clusters=(CLUSTER,),
    identities=(IdentitySeed("keys-user"), IdentitySeed("nobody")),
    vaults=(VAULT,),
    poll_seconds=0.01,
)


@pytest.fixture
def settings() -> AzureSettings:
    return SETTINGS


def with_key(world: World, key: str = KEY, user: str = USER) -> CloudSpec:
    return world.spec(rules={"kms_key": key, "kms_identity": user})


def checked(world: World, code: str, spec: CloudSpec) -> Finding:
    checks = world.provider.checks(spec, world.provider.discover(spec))
    return next(item for item in checks if item.code == code).run()


def found(world: World, key: str = KEY, user: str = USER) -> Finding:
    return checked(world, "azure-kms-key", with_key(world, key, user))


def encryption(world: World) -> dict[str, Any]:
    properties = world.snapshot()["storage_accounts"][ACCOUNT]["properties"]
    return dict(properties["encryption"])


@pytest.mark.parametrize("by_roles", [True, False], ids=["roles", "access policies"])
def test_the_account_is_encrypted_with_it_from_the_beginning(start: Start, by_roles: bool) -> None:
    world = start(replace(SETTINGS, vaults=(replace(VAULT, by_roles=by_roles),)))
    assert found(world).status is Status.PASS
    spec = with_key(world, KEY.replace("team-keys", "Team-Keys"))
    before = azure(world).identities.get("demo", "keys-user")
    side = world.setup(spec)
    held = encryption(world)
    assert held["keySource"] == "Microsoft.Keyvault"
    assert held["keyvaultproperties"]["keyname"] == "data"
    assert held["identity"] == {"userAssignedIdentity": USER.lower()}
    assert azure(world).identities.get("demo", "keys-user") == before
    assert set(world.changes(spec).values()) == {"none"}
    assert set(world.changes().values()) == {"none"}
    _, kept = world.reviewed(side)
    assert kept["encryption"] == KEY
    assert world.prove(side)


def test_a_key_comes_later_and_another_takes_its_place(world: World) -> None:
    world.setup()
    account = world.stand_in.world.accounts.ready(ACCOUNT)
    assert account is not None
    account[0].extra["identity"] = {"type": "SystemAssigned"}
    assert f"encryption key: '' → '{KEY}'" in world.reasons(with_key(world))["storage-account"]
    world.setup(with_key(world))
    # What others have set besides stays.
    assert account[0].extra["identity"]["type"] == "SystemAssigned,UserAssigned"
    other = with_key(world, KEY.replace("data", "other"))
    assert world.changes(other) == {**dict.fromkeys(ALL, "none"), "storage-account": "update"}
    world.setup(other)
    assert encryption(world)["keyvaultproperties"]["keyname"] == "other"
    # Nothing said of a key leaves the encryption that is there.
    assert set(world.changes().values()) == {"none"}


@pytest.mark.parametrize("there", [False, True], ids=["new account", "old account"])
@pytest.mark.parametrize(
    ("change", "user", "cause"),
    [
        ({}, IDENTITIES + "nobody", "authentication issue on the keyvault"),
        ({"purge_protection": False}, USER, "policy recoverable is not set"),
        ({"keys": ()}, USER, "not found"),
    ],
    ids=["no right", "purging", "no key"],
)
def test_a_key_that_cannot_be_used_is_refused_by_azure_and_told(
    start: Start, there: bool, change: dict[str, Any], user: str, cause: str
) -> None:
    world = start(replace(SETTINGS, vaults=(replace(VAULT, **change),)))
    if there:
        world.setup()
    with pytest.raises(errors.CliError) as caught:
        world.setup(with_key(world, KEY, user))
    assert caught.value.code is errors.ADOPTED_UNFIT
    assert KEY in caught.value.message
    assert cause in caught.value.cause
    assert ROLE_NAME in caught.value.fix


def test_what_stands_in_its_way_is_told_first_with_what_mends_it(world: World) -> None:
    azures = world.stand_in.world
    vault = azures.resources.named("demo", VAULTS, VAULT.name)
    assert vault is not None
    lost = found(world, user=IDENTITIES + "lost")
    assert lost.status is Status.FAIL
    assert lost.detail == "there is no managed identity lost in demo"
    told = found(world, user=IDENTITIES + "nobody")
    assert told.evidence == RIGHTS
    assert f'--role "{ROLE_NAME}"' in told.fix
    assert told.fix.endswith(f"--scope {GROUP}/providers/{VAULTS}/team-keys/keys/data")
    vault.properties["enableRbacAuthorization"] = False
    told = found(world)
    assert told.evidence == ("get", "wrapKey", "unwrapKey")
    assert told.fix.startswith("az keyvault set-policy --name team-keys --object-id ")
    vault.properties["enableRbacAuthorization"] = True
    assert found(world, KEY.replace("data", "lost")).detail == "the vault team-keys has no key lost"
    azures.vaults.keys["team-keys", "data"].enabled = False
    assert "--enabled true" in found(world).fix
    azures.vaults.keys["team-keys", "data"].enabled = True
    azures.vaults.keys["team-keys", "other"].kty = "EC"
    assert "RSA alone" in found(world, KEY.replace("data", "other")).detail
    vault.properties["enablePurgeProtection"] = None
    assert found(world).fix == (
        "az keyvault update --name team-keys --enable-purge-protection true"
    )
    # A vault of another subscription: Azure tells when the account is made.
    assert found(world, KEY.replace("team-keys", "far-away")).status is Status.UNKNOWN
    assert world.writes(lambda: found(world)) == []


def test_the_role_of_setup_is_enough_and_uses_what_it_has_for_keys(world: World) -> None:
    world.stand_in.set_admin_roles([role(Verb.SETUP)])
    assert found(world).status is Status.PASS
    world.setup(with_key(world))
    # No call has the name of what is asked of whoever gives an identity away.
    assert OF_KEYS - used(world) == {ASSIGN}


def test_who_may_not_give_the_identity_away_is_told_so_first(world: World) -> None:
    allowed = [item for item in role(Verb.SETUP)["Actions"] if item != ASSIGN]
    world.stand_in.set_admin_roles([{"Actions": allowed}])
    told = checked(world, "azure-permissions", with_key(world))
    assert told.status is Status.FAIL
    assert told.evidence == (f"{ASSIGN} on {USER.lower()}",)
    assert checked(world, "azure-permissions", world.spec()).status is Status.PASS
    with pytest.raises(errors.CliError) as caught:
        world.setup(with_key(world))
    assert caught.value.code is errors.FORBIDDEN
    assert ASSIGN in caught.value.cause


def test_who_may_not_look_at_vaults_is_not_stopped(world: World) -> None:
    for taken in (f"{VAULTS}/read", f"{VAULTS}/keys/read"):
        allowed = [item for item in role(Verb.SETUP)["Actions"] if item != taken]
        world.stand_in.set_admin_roles([{"Actions": allowed}])
        told = found(world)
        assert told.status is Status.UNKNOWN
        assert taken in told.detail
    world.setup(with_key(world))


def test_what_a_policy_demands_is_told_and_met(start: Start) -> None:
    world = start(replace(SETTINGS, policies=(OWN_KEY,)))
    told = checked(world, "azure-policies", world.spec())
    assert told.status is Status.FAIL
    assert told.fix == "run setup again with --kms-key <key> --kms-identity <id>"
    with pytest.raises(errors.CliError):
        world.setup()
    assert checked(world, "azure-policies", with_key(world)).status is Status.PASS
    world.setup(with_key(world))


@pytest.mark.parametrize(
    ("rules", "existing", "told"),
    [
        ({"kms_key": KEY}, {}, "one says nothing without the other"),
        ({"kms_identity": USER}, {}, "one says nothing without the other"),
        ({"kms_key": "data", "kms_identity": USER}, {}, "is no key's identifier"),
        ({"kms_key": KEY, "kms_identity": "keys-user"}, {}, "--kms-identity: give the resource"),
        ({"kms_key": KEY, "kms_identity": USER}, {"bucket": "a1b/lake"}, "keeps the encryption"),
    ],
)
def test_what_cannot_be_is_refused(
    world: World, rules: dict[str, str], existing: dict[str, str], told: str
) -> None:
    with pytest.raises(errors.CliError) as caught:
        world.provider.check_spec(world.spec(rules=rules, existing=existing))
    assert caught.value.code is errors.INVALID_SPEC
    assert told in caught.value.message
