"""What setup makes, finds changed, mends, and will not touch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.providers.aks import storage_role
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.sdk.storage import Settings
from anyscale_k8s_cli.providers.azureblob import codes as azure_codes
from anyscale_k8s_cli.providers.azureblob.cors import CorsRule
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Trust
from anyscale_k8s_cli.sandbox.azure.seed import (
    NO_SHARED_KEY,
    OTHER_SUBSCRIPTION_ID,
    SUBSCRIPTION_ID,
    TEAM_IDENTITY,
    IdentitySeed,
    LockSeed,
    PolicySeed,
    StorageAccountSeed,
)
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind
from anyscale_k8s_cli.spec import CloudSpec
from tests.cloud_sides import CONSOLE
from tests.issuer import OPERATOR

from .conftest import ACCOUNTS, CLUSTER, IDENTITIES, World

ALL = {"storage-account", "managed-identity", "role-assignment"}
ACCOUNT = "anyscaleprod7d097657"
IDENTITY = "anyscale-prod-7d097657-operator"
CONTRIBUTOR, OWNER = "Storage Blob Data Contributor", "Storage Blob Data Owner"
THEIRS = CorsRule(("https://x.example",), ("GET",), ("*",), ("*",), 60)
OURS = CorsRule((CONSOLE,), ("DELETE", "GET", "HEAD", "POST", "PUT"), ("*",), ("*",), 3600)


def azure(world: World) -> Azure:
    """The subscription as its administrator's own scripts see it."""
    return Azure(world.run, SUBSCRIPTION_ID)


def of_kind(side: CloudSide, kind: str) -> Any:
    return next(item for item in side.resources if item.kind == kind)


def fixes(world: World, spec: CloudSpec) -> dict[str, str]:
    """What a plan advises, of each kind of object."""
    planned = world.plan(world.cloud_side(spec))
    return {item.resource.kind: item.decision.fix for item in planned.changes}


def grants(world: World, account: str = ACCOUNT) -> dict[str, str]:
    """Who has which role on an account."""
    found = world.snapshot()["role_assignments"]
    return {
        item["principal"]: item["role"]
        for own_id, item in found.items()
        if f"/{account}/providers/" in own_id
    }


def test_a_plan_writes_nothing(world: World) -> None:
    before = world.snapshot()
    assert not world.writes(world.changes)
    assert world.snapshot() == before


def test_everything_is_made_once(world: World) -> None:
    assert world.changes() == dict.fromkeys(ALL, "create")
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")
    assert not world.writes(world.setup)


def test_what_is_made(world: World) -> None:
    side = world.setup(world.spec(rules={"tags": {"team": "ml"}}))
    found = world.snapshot()
    account, identity = (
        found["storage_accounts"][ACCOUNT],
        found["identities"][IDENTITIES + IDENTITY],
    )
    set_to = account["properties"]
    assert set_to["isHnsEnabled"]
    assert set_to["supportsHttpsTrafficOnly"]
    assert set_to["minimumTlsVersion"] == "TLS1_2"
    assert (set_to["allowBlobPublicAccess"], set_to["allowSharedKeyAccess"]) == (False, True)
    assert account["containers"]["anyscale-data"]["public_access"] == "None"
    (rule,) = account["blob_service"]["cors"]["corsRules"]
    assert rule["allowedOrigins"] == [CONSOLE]
    assert sorted(rule["exposedHeaders"]) == ["Accept-Ranges", "Content-Length", "Content-Range"]
    assert identity["federated"] == {
        "anyscale-operator": (CLUSTER.issuer, OPERATOR, ["api://AzureADTokenExchange"])
    }
    for tags in (account["tags"], identity["tags"]):
        assert tags["team"] == "ml"
        assert tags["anyscale-k8s-managed-by"] == "anyscale-k8s-cli"
        assert tags["anyscale-k8s-install"] == "7d097657"
    assert grants(world) == {identity["principal"]: CONTRIBUTOR}
    storage, proven = side.storage.output, side.identity.output
    assert storage.url == f"abfss://anyscale-data@{ACCOUNT}.dfs.core.windows.net"
    assert storage.endpoint == f"{world.stand_in.world.blob_url}/{ACCOUNT}"
    assert proven.registered == identity["principal"]
    assert side.service_account_annotations() == {"azure.workload.identity/client-id": proven.helm}


def test_what_the_chart_and_the_registration_get(world: World) -> None:
    spec, provider = world.spec(), world.provider
    cluster, side = provider.discover(spec), world.setup(spec)
    storage, identity = side.storage.output, side.identity.output
    assert provider.registration(spec, cluster, storage, identity) == {
        "azure_config": {"tenant_id": world.stand_in.world.settings.tenant_id},
        "kubernetes_config": {
            "zones": ["eastus-1", "eastus-2", "eastus-3"],
            "anyscale_operator_iam_identity": identity.registered,
        },
    }
    assert provider.operator_values(spec, cluster, identity, ()) == {
        "global": {"auth": {"iamIdentity": identity.helm, "audience": world.anyscale.audience}}
    }
    assert identity.helm != identity.registered


def test_roles_of_an_identity_that_is_no_more_are_cleared_away(world: World) -> None:
    first = world.setup().identity.output.registered
    azure(world).identities.delete("demo", IDENTITY)
    assert world.changes() == {
        "storage-account": "none",
        "managed-identity": "create",
        "role-assignment": "update",
    }
    second = world.setup().identity.output.registered
    assert second != first
    assert grants(world) == {second: CONTRIBUTOR}
    assert world.changes() == dict.fromkeys(ALL, "none")


# -- drift ---------------------------------------------------------------------------


def break_tags(cloud: Azure) -> None:
    account = cloud.storage.account("demo", ACCOUNT)
    assert account is not None
    tags = {**account.settings.tags, "anyscale-k8s-region": "elsewhere", "put-by": "somebody"}
    cloud.storage.tag("demo", ACCOUNT, tags)


def loosen(**changed: Any) -> Callable[[Azure], None]:
    def loosened(cloud: Azure) -> None:
        account = cloud.storage.account("demo", ACCOUNT)
        assert account is not None
        cloud.storage.update("demo", ACCOUNT, replace(account.settings, **changed))

    return loosened


def drop_container(cloud: Azure) -> None:
    cloud.storage._client.blob_containers.delete("demo", ACCOUNT, "anyscale-data")


def open_container(cloud: Azure) -> None:
    loosen(public_access=True)(cloud)
    containers = cloud.storage._client.blob_containers
    body = {"properties": {"publicAccess": "Blob"}}
    containers.update("demo", ACCOUNT, "anyscale-data", body)


BREAKS: dict[str, Callable[[Azure], Any]] = {
    "tag anyscale-k8s-region": break_tags,
    "least version of TLS": loosen(tls="TLS1_0"),
    "HTTPS only": loosen(https_only=False),
    "shared key access": loosen(shared_key=False),
    "public access": open_container,
    "CORS for the console": lambda cloud: cloud.storage.set_cors("demo", ACCOUNT, [THEIRS]),
    "container": drop_container,
}


def test_each_setting_of_the_account_is_watched_and_mended(world: World) -> None:
    """One world for all: each is broken and mended by itself."""
    world.setup()
    for told, make in BREAKS.items():
        make(azure(world))
        planned = {item.resource.kind: item for item in world.plan(world.cloud_side()).changes}
        updated = {kind for kind, item in planned.items() if item.change.value == "update"}
        assert updated == {"storage-account"}, told
        assert told in planned["storage-account"].decision.reason
        world.setup()
        assert world.changes() == dict.fromkeys(ALL, "none"), told
    account = world.snapshot()["storage_accounts"][ACCOUNT]
    assert account["tags"]["put-by"] == "somebody"
    assert account["containers"]["anyscale-data"]["public_access"] == "None"
    origins = [rule["allowedOrigins"] for rule in account["blob_service"]["cors"]["corsRules"]]
    assert origins == [["https://x.example"], [CONSOLE]]


def test_the_identity_is_watched_and_mended(world: World) -> None:
    world.setup()
    wrong = Trust(CLUSTER.issuer.rstrip("/"), OPERATOR)
    azure(world).identities.put_trust("demo", IDENTITY, "anyscale-operator", wrong)
    azure(world).identities.put("demo", IDENTITY, "eastus", {"put-by": "somebody"})
    assert world.changes()["managed-identity"] == "refuse", "without its tags it is not ours"
    tags = {**world.snapshot()["storage_accounts"][ACCOUNT]["tags"], "put-by": "somebody"}
    azure(world).identities.put("demo", IDENTITY, "eastus", {**tags, "anyscale-k8s-region": "x"})
    reason = world.reasons()["managed-identity"]
    assert "tag anyscale-k8s-region" in reason
    assert "whose tokens it trusts" in reason
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")
    found = world.snapshot()["identities"][IDENTITIES + IDENTITY]
    assert found["federated"]["anyscale-operator"][0] == CLUSTER.issuer
    assert found["tags"]["put-by"] == "somebody"


def test_what_was_deleted_by_hand_is_made_again(world: World) -> None:
    for gone in sorted(ALL):
        side = world.setup()
        victim = of_kind(side, gone)
        victim.delete(victim.observed)
        assert victim.read() is None
        assert world.changes()[gone] == "create"
    world.setup()
    assert world.changes() == dict.fromkeys(ALL, "none")


def test_cors_rules_have_an_end(world: World) -> None:
    world.setup()
    theirs = [replace(THEIRS, origins=(f"https://{number}.example",)) for number in range(5)]
    azure(world).storage.set_cors("demo", ACCOUNT, theirs)
    with pytest.raises(errors.CliError) as caught:
        world.setup()
    assert caught.value.code is azure_codes.CORS_FULL
    assert len(azure(world).storage.cors("demo", ACCOUNT)) == 5


# -- failures on the way -------------------------------------------------------------------

WRITES = {
    "StorageAccounts_Create",
    "BlobContainers_Create",
    "BlobServices_SetServiceProperties",
    "UserAssignedIdentities_CreateOrUpdate",
    "FederatedIdentityCredentials_CreateOrUpdate",
    "RoleAssignments_Create",
}


@pytest.mark.parametrize("kind", [FaultKind.ERROR, FaultKind.ERROR_AFTER])
def test_after_a_failure_the_same_again_ends_the_same(
    start: Callable[[AzureSettings], World], settings: AzureSettings, kind: FaultKind
) -> None:
    whole = start(settings)
    writes = whole.writes(whole.setup)
    assert {call.operation.name for call in writes} == WRITES
    world = start(settings)
    told: list[errors.CliError] = []

    def setup() -> None:
        try:
            world.setup()
        except errors.CliError as problem:
            told.append(problem)
            raise

    world.interrupted(setup, writes, kind, 400)
    assert {problem.code for problem in told} == {azure_codes.AZURE_FAILED}
    assert all("Injected" in problem.cause for problem in told)
    assert world.changes() == dict.fromkeys(ALL, "none")
    assert len(grants(world)) == 1


def test_throttling_is_sat_out_and_told_in_the_end(world: World) -> None:
    world.fault("UserAssignedIdentities_Get", FaultKind.THROTTLE, times=1)
    world.setup()
    world.fault("UserAssignedIdentities_Get", FaultKind.THROTTLE, times=0)
    with pytest.raises(errors.CliError) as caught:
        world.changes()
    assert caught.value.code is azure_codes.AZURE_THROTTLED


def test_an_account_that_another_run_is_making_is_waited_for(world: World) -> None:
    world.stand_in.world.operations.polls = 3
    made = world.setup()
    assert made.storage.output.endpoint
    assert world.changes() == dict.fromkeys(ALL, "none")


# -- what a company forbids --------------------------------------------------------------------


def forbidding(*policies: PolicySeed) -> AzureSettings:
    return AzureSettings(clusters=(CLUSTER,), policies=policies, poll_seconds=0.01)


def test_shared_keys_may_be_forbidden(start: Callable[[AzureSettings], World]) -> None:
    world = start(forbidding(NO_SHARED_KEY))
    with pytest.raises(errors.CliError) as caught:
        world.setup()
    assert caught.value.code is azure_codes.POLICY_DENIES
    assert caught.value.cause == NO_SHARED_KEY.display_name
    assert "--azure-shared-key off" in caught.value.fix
    spec = world.spec(rules={"azure_shared_key": "off"})
    side = world.setup(spec)
    assert world.changes(spec) == dict.fromkeys(ALL, "none")
    assert len(world.prove(side)) == 2


def test_tags_may_be_demanded(start: Callable[[AzureSettings], World]) -> None:
    world = start(forbidding(PolicySeed("t", "Require the tag owner", required_tag="owner")))
    with pytest.raises(errors.CliError) as caught:
        world.setup()
    assert caught.value.code is azure_codes.POLICY_DENIES
    assert "--tag" in caught.value.fix
    world.setup(world.spec(rules={"tags": {"owner": "ml"}}))


def policies_of(world: World, **rules: Any) -> Finding:
    spec = world.spec(rules=rules)
    checks = world.provider.checks(spec, world.provider.discover(spec))
    (bound,) = [item for item in checks if item.code == "azure-policies"]
    return bound.run()


def test_what_policies_forbid_is_told_before_it_is_made(
    start: Callable[[AzureSettings], World],
) -> None:
    owner = PolicySeed("owned", "Require the tag owner", required_tag="owner")
    world = start(forbidding(NO_SHARED_KEY, owner))

    found = policies_of(world)
    assert found.status is Status.FAIL
    assert found.detail == "denied by no-shared-key, owned"
    assert found.fix == "run setup again with --tag owner=<value> --azure-shared-key off"
    assert policies_of(world, azure_shared_key="off").fix.endswith("--tag owner=<value>")
    said: dict[str, Any] = {"azure_shared_key": "off", "tags": {"owner": "ml"}}
    assert policies_of(world, **said).status is Status.PASS
    world.setup(world.spec(rules=said))
    # What is there is not made again.
    assert policies_of(world).status is Status.PASS


def test_who_may_not_ask_what_policies_say_learns_it_later(world: World) -> None:
    refused = {"status": 403, "code": "AuthorizationFailed", "times": 0}
    world.fault("PolicyRestrictions*", FaultKind.ERROR, **refused)
    assert policies_of(world).status is Status.UNKNOWN


def test_a_lock_is_told(start: Callable[[AzureSettings], World]) -> None:
    scope = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/demo"
    world = start(AzureSettings(clusters=(CLUSTER,), poll_seconds=0.01))
    side = world.setup()
    world.stand_in.world.locks.items.append(LockSeed("keep", scope))
    identity = of_kind(side, "managed-identity")
    with pytest.raises(errors.CliError) as caught:
        identity.delete(identity.observed)
    assert caught.value.code is azure_codes.AZURE_LOCKED


# -- names -----------------------------------------------------------------------------------


def test_a_name_of_somebody_else(start: Callable[[AzureSettings], World]) -> None:
    squatted = StorageAccountSeed(ACCOUNT, subscription_id=OTHER_SUBSCRIPTION_ID)
    world = start(AzureSettings(clusters=(CLUSTER,), accounts=(squatted,)))
    assert world.changes()["storage-account"] == "refuse"
    reason = world.reasons()["storage-account"]
    assert "somebody else" in reason
    other = reason.rpartition("such as ")[2]
    spec = world.spec(rules={"names": {"storage-account": other}})
    world.setup(spec)
    assert world.changes(spec) == dict.fromkeys(ALL, "none")


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ({"storage-account": "teamdatademo"}, "storage-account"),
        ({"identity": TEAM_IDENTITY.name}, "managed-identity"),
    ],
)
def test_what_is_there_and_not_ours(world: World, names: dict[str, str], kind: str) -> None:
    before = world.snapshot()
    spec = world.spec(rules={"names": names})
    assert world.changes(spec)[kind] == "refuse"
    with pytest.raises(errors.CliError) as caught:
        world.setup(spec)
    assert caught.value.code is errors.FOREIGN_OBJECT
    assert world.snapshot() == before


def test_an_account_that_somebody_makes_in_between(world: World) -> None:
    side = world.cloud_side()
    computed = world.plan(side)
    assert len(computed.writes) == 3
    azure(world).storage.create("demo", ACCOUNT, "eastus", Settings())
    with pytest.raises(errors.CliError) as caught:
        side.storage.create()
    assert caught.value.code is errors.FOREIGN_OBJECT


def test_names_and_tags_of_the_company(world: World) -> None:
    names = {"storage-account": "acmedata", "identity": "acme-operator"}
    spec = world.spec(rules={"names": names, "tags": {"Owner": "ml"}})
    world.setup(spec)
    found = world.snapshot()
    assert found["storage_accounts"]["acmedata"]["tags"]["Owner"] == "ml"
    assert found["identities"][f"{IDENTITIES}acme-operator"]["tags"]["Owner"] == "ml"
    assert world.changes(spec) == dict.fromkeys(ALL, "none")


# -- what the user has ---------------------------------------------------------------------

USERS = StorageAccountSeed("usersdata", containers={"lake": (("a.bin", b"1"),)}, location="eastus2")
USERS_IDENTITY = IdentitySeed(
    "users-operator",
    federated=(("cluster", CLUSTER.issuer, OPERATOR),),
    roles=((OWNER, ACCOUNTS + "usersdata"),),
)
PLACES = ["usersdata/lake", "abfss://lake@usersdata.dfs.core.windows.net"]


@pytest.fixture
def adopting(start: Callable[[AzureSettings], World]) -> World:
    identities = (USERS_IDENTITY, IdentitySeed("bare-operator"))
    return start(
        AzureSettings(
            clusters=(CLUSTER,), accounts=(USERS,), identities=identities, poll_seconds=0.01
        )
    )


def test_a_container_of_the_user_is_used_and_not_written(adopting: World) -> None:
    spec, other_word = (adopting.spec(existing={"bucket": place}) for place in PLACES)
    assert adopting.changes(spec)["storage-account"] == "refuse"
    assert "do not admit the console" in adopting.reasons(spec)["storage-account"]
    fix = fixes(adopting, spec)["storage-account"]
    assert fix.startswith("az storage cors add --account-name usersdata --services b")
    azure(adopting).storage.set_cors("demo", "usersdata", [OURS])
    before = adopting.snapshot()["storage_accounts"]
    side = adopting.setup(spec)
    settled = {**dict.fromkeys(ALL, "none"), "storage-account": "adopt"}
    assert adopting.changes(spec) == adopting.changes(other_word) == settled
    assert adopting.snapshot()["storage_accounts"] == before
    assert side.storage.output.url == PLACES[1]
    assert side.storage.output.region == "eastus2"
    assert len(adopting.prove(side)) == 2


@pytest.mark.parametrize(
    ("given", "told"),
    [("nowhere/lake", "does not exist"), ("usersdata/pond", "it has no container pond")],
)
def test_a_container_that_is_not_there(adopting: World, given: str, told: str) -> None:
    spec = adopting.spec(existing={"bucket": given})
    assert told in adopting.reasons(spec)["storage-account"]


def test_an_account_of_another_subscription_is_told_apart(
    start: Callable[[AzureSettings], World],
) -> None:
    theirs = replace(USERS, subscription_id=OTHER_SUBSCRIPTION_ID)
    world = start(AzureSettings(clusters=(CLUSTER,), accounts=(theirs,), poll_seconds=0.01))
    spec = world.spec(existing={"bucket": PLACES[0]})
    assert world.changes(spec)["storage-account"] == "refuse"
    told = world.reasons(spec)["storage-account"]
    assert f"not in the subscription {SUBSCRIPTION_ID}, or you may not see it there" in told


def test_an_identity_of_the_user_is_used_and_not_written(adopting: World) -> None:
    spec = adopting.spec(existing={"identity": IDENTITIES + "users-operator"})
    before = adopting.snapshot()["identities"]
    side = adopting.setup(spec)
    assert adopting.changes(spec) == {**dict.fromkeys(ALL, "none"), "managed-identity": "adopt"}
    assert adopting.snapshot()["identities"] == before
    assert len(adopting.prove(side)) == 2


def test_an_identity_that_trusts_nobody(adopting: World) -> None:
    spec = adopting.spec(existing={"identity": IDENTITIES + "bare-operator"})
    assert adopting.changes(spec)["managed-identity"] == "refuse"
    fix = fixes(adopting, spec)["managed-identity"]
    assert f"--issuer {CLUSTER.issuer} --subject {OPERATOR}" in fix
    azure(adopting).identities.put_trust(
        "demo", "bare-operator", "one", Trust(CLUSTER.issuer, OPERATOR)
    )
    assert adopting.changes(spec)["managed-identity"] == "adopt"


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (Trust(CLUSTER.issuer, OPERATOR.replace("anyscale-operator:", "team-b:")), "team-b"),
        (Trust(CLUSTER.issuer.rstrip("/"), OPERATOR), f", but {OPERATOR} of "),
    ],
    ids=["another namespace", "another issuer"],
)
def test_an_identity_that_trusts_somebody_else(adopting: World, theirs: Trust, told: str) -> None:
    azure(adopting).identities.put_trust("demo", "bare-operator", "one", theirs)
    spec = adopting.spec(existing={"identity": IDENTITIES + "bare-operator"})
    reason = adopting.reasons(spec)["managed-identity"]
    assert f"it does not trust {OPERATOR} of {CLUSTER.issuer}, but " in reason
    assert told in reason
    assert f"{theirs.subject} of {theirs.issuer}" in reason
    fix = fixes(adopting, spec)["managed-identity"]
    assert f"--issuer {CLUSTER.issuer} --subject {OPERATOR}" in fix


def test_each_action_that_an_identity_lacks_is_named(adopting: World) -> None:
    azure(adopting).storage.set_cors("demo", "usersdata", [OURS])
    identity = azure(adopting).identities
    identity.put_trust("demo", "bare-operator", "one", Trust(CLUSTER.issuer, OPERATOR))
    world = adopting.stand_in.world
    principal = identity.get("demo", "bare-operator")
    assert principal is not None
    own = world.directory.principals[principal.principal_id]
    existing = {"bucket": "usersdata/lake", "identity": IDENTITIES + "bare-operator"}
    spec = adopting.spec(existing=existing)
    for taken in storage_role.NEEDED:
        held = [item for item in storage_role.NEEDED if item != taken]
        world.rights.replace(own, [{"DataActions": held, "scope": ACCOUNTS + "usersdata"}])
        assert f"lacks {taken} on it" in adopting.reasons(spec)["role-assignment"]
    assert f'--role "{CONTRIBUTOR}"' in fixes(adopting, spec)["role-assignment"]


def test_with_both_of_the_users_the_role_must_be_there(adopting: World) -> None:
    azure(adopting).storage.set_cors("demo", "usersdata", [OURS])
    azure(adopting).identities.put_trust(
        "demo", "bare-operator", "one", Trust(CLUSTER.issuer, OPERATOR)
    )
    before = adopting.snapshot()

    def spec(identity: str) -> CloudSpec:
        existing = {"bucket": "usersdata/lake", "identity": IDENTITIES + identity}
        return adopting.spec(existing=existing)

    refused = spec("bare-operator")
    assert adopting.changes(refused)["role-assignment"] == "refuse"
    assert f'--role "{CONTRIBUTOR}"' in fixes(adopting, refused)["role-assignment"]
    side = adopting.setup(spec("users-operator"))
    assert adopting.changes(spec("users-operator")) == dict.fromkeys(ALL, "adopt")
    assert adopting.snapshot() == before
    assert len(adopting.prove(side)) == 2


def test_what_is_brought_is_told_like_what_is_made(adopting: World) -> None:
    """The same members everywhere: names alone are others."""
    azure(adopting).storage.set_cors("demo", "usersdata", [OURS])
    provider, made = adopting.provider, adopting.spec(name="made")
    existing = {"bucket": "usersdata/lake", "identity": IDENTITIES + "users-operator"}

    def told(spec: CloudSpec) -> dict[str, Any]:
        side, cluster = adopting.setup(spec), provider.discover(spec)
        storage, identity = side.storage.output, side.identity.output
        values = provider.operator_values(spec, cluster, identity, ())
        payload = provider.registration(spec, cluster, storage, identity)
        return {"values": values, "payload": payload, "storage": asdict(storage)}

    def without_names(found: Any, names: Any) -> Any:
        if isinstance(found, dict):
            return {key: without_names(value, names) for key, value in found.items()}
        return "…" if any(name in str(found) for name in names) else found

    ours, theirs = told(made), told(adopting.spec(existing=existing))
    assert ours != theirs
    principals = adopting.stand_in.world.directory.principals.values()
    names = {"anyscalemade", "usersdata", "eastus2"}
    names |= {found for item in principals for found in (item.object_id, item.app_id)}
    ours["storage"]["region"] = "eastus2"
    assert without_names(ours, names) == without_names(theirs, names)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rules": {"names": {"lamp": "x"}}},
        {"rules": {"names": {"storage-account": "Not-A-Name"}}},
        {"rules": {"names": {"identity": "-x"}}},
        {"rules": {"tags": {"a/b": "c"}}},
        {"existing": {"identity": "users-operator"}},
        {"existing": {"bucket": "usersdata"}},
        {"existing": {"bucket": "usersdata/lake"}, "rules": {"azure_shared_key": "off"}},
        {"network": {"load_balancer_subnets": ["inner"]}},
        {"account": {"subscription_id": "demo", "resource_group": "demo"}},
    ],
)
def test_what_means_nothing_here_is_refused(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.CliError) as caught:
        world.provider.check_spec(world.spec(**wrong))
    assert caught.value.code is errors.INVALID_SPEC


def test_tags_that_are_no_longer_wanted_go_and_others_stay(world: World) -> None:
    world.setup(world.spec(rules={"tags": {"team": "ml", "cost": "42", "kept": "x"}}))
    spec = world.spec(rules={"tags": {"kept": "x"}})
    # What somebody wrote over is theirs.
    reasons = world.dropped(spec, {"team": "ml", "cost": "41"})
    assert reasons == dict.fromkeys(
        {"storage-account", "managed-identity"}, "tag team: 'ml' → absent"
    )
    found = world.snapshot()
    for kind, name in (("storage_accounts", ACCOUNT), ("identities", IDENTITIES + IDENTITY)):
        tags = found[kind][name]["tags"]
        assert "team" not in tags
        assert (tags["cost"], tags["kept"]) == ("42", "x")


def test_the_review_tells_who_may_what(world: World) -> None:
    found, kept = world.reviewed(world.setup())
    trusted = json.loads(found["federated credential anyscale-operator"])
    assert trusted["subject"] == "system:serviceaccount:anyscale-operator:anyscale-operator"
    assert json.loads(found["role assignment"])["role"].startswith("Storage Blob Data Contributor")
    assert kept["public access"] == "not allowed"
    assert kept["in transit"].startswith("HTTPS only")
    assert kept["container"] == "public access None"
