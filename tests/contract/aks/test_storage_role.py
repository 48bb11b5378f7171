"""A role of the company's own in place of Azure's: looked at first, assigned, and enforced."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.aks import codes
from anyscale_k8s_cli.providers.aks.storage_role import ACTIONS, NEEDED, ROLE
from anyscale_k8s_cli.spec import CloudSpec
from tests.cloud_sides import remove

from .conftest import ACCOUNTS, GROUP, IDENTITIES, World
from .test_rights import role
from .test_setup import ACCOUNT, ALL, OWNER, azure
from .test_teardown import HERE

NAME, ID = "Team's storage", "5a0c3a5e-5f9e-4c1f-9f0b-0d2b9a1f7c11"
PATH = f"{GROUP}/providers/Microsoft.Authorization/roleDefinitions/{ID}"
ELSEWHERE = GROUP.replace("/demo", "/other")
IMPATIENT = {"timeouts": {"identity": 0.4}}


def define(
    world: World, data: Sequence[str] = NEEDED, scopes: Sequence[str] = (GROUP,), **more: object
) -> None:
    allowed = {"actions": list(ACTIONS), "dataActions": list(data), **more}
    properties = {"roleName": NAME, "assignableScopes": list(scopes), "permissions": [allowed]}
    client = azure(world).roles._client
    client.role_definitions.create_or_update(GROUP, ID, {"properties": properties})


def with_role(world: World, given: str = NAME, **more: object) -> CloudSpec:
    return world.spec(rules={"storage_role": given}, **more)


def finding(world: World, given: str = NAME, **more: object) -> Finding:
    spec = with_role(world, given, **more)
    checks = world.provider.checks(spec, world.provider.discover(spec))
    return next(item for item in checks if item.code == "azure-storage-role").run()


def held(world: World) -> set[str]:
    rights = world.stand_in.world.rights.assignments.values()
    return {item.role.id for item in rights if item.scope.endswith(ACCOUNT)}


@pytest.mark.parametrize("given", [NAME, ID, PATH], ids=["name", "id", "path"])
def test_it_is_assigned_alone_and_is_enough(world: World, given: str) -> None:
    define(world)
    spec = with_role(world, given)
    assert finding(world, given).status is Status.PASS
    side = world.setup(spec)
    assert held(world) == {ID}
    assert world.prove(side)
    assert set(world.changes(spec).values()) == {"none"}


def test_rays_pods_own_identity_gets_it_too(world: World) -> None:
    define(world)
    spec = with_role(world, identity={"workloads": "separate"})
    world.setup(spec)
    rights = world.stand_in.world.rights.assignments.values()
    ours = {
        item.scope.rpartition("/")[2]: item.role.id for item in rights if "anyscale" in item.scope
    }
    assert ours == {ACCOUNT: ID, "anyscale-data": ID}
    assert set(world.changes(spec).values()) == {"none"}


def test_pods_can_do_what_it_holds_and_nothing_else(world: World) -> None:
    define(world, [item for item in NEEDED if not item.endswith("/delete")])
    side = world.setup(with_role(world, **IMPATIENT))
    with pytest.raises(errors.CliError) as caught:
        world.prove(side)
    assert caught.value.code is codes.ASSIGNMENT_MISSING
    assert f'--role "{NAME}"' in caught.value.fix
    define(world)
    assert world.prove(side)


def test_one_takes_the_place_of_the_other(world: World) -> None:
    define(world)
    world.setup()
    assert held(world) == {ROLE}
    spec = with_role(world)
    assert f"{NAME}: 'absent' → " in world.reasons(spec)["role-assignment"]
    assert "Storage Blob Data Contributor: " in world.reasons(spec)["role-assignment"]
    world.setup(spec)
    assert held(world) == {ID}
    world.setup()
    assert held(world) == {ROLE}
    assert set(world.changes().values()) == {"none"}


def test_what_is_taken_away_by_hand_is_mended(world: World) -> None:
    define(world)
    spec = with_role(world)
    world.setup(spec)
    (assignment,) = azure(world).roles.assignments(ACCOUNTS + ACCOUNT)[-1:]
    azure(world).roles.withdraw(assignment)
    assert world.changes(spec) == {**dict.fromkeys(ALL, "none"), "role-assignment": "create"}
    world.setup(spec)
    assert held(world) == {ID}


def test_a_deletion_takes_the_assignment_and_leaves_the_role(world: World) -> None:
    define(world)
    before = world.snapshot()
    _, install = world.installed(with_role(world))
    remove(world.elsewhere().find_owned(HERE, install), bucket=True)
    assert world.snapshot() == before
    assert finding(world).status is Status.PASS


def test_it_is_assigned_on_an_account_of_the_users_too(world: World) -> None:
    define(world)
    existing = {"identity": IDENTITIES + "users-operator", "bucket": "usersdata/lake"}
    with pytest.raises(errors.CliError) as caught:
        world.provider.check_spec(with_role(world, existing=existing))
    assert "--storage-role: to an identity of yours on an account of yours" in caught.value.message
    world.provider.check_spec(with_role(world, existing={"bucket": "usersdata/lake"}))


def test_what_stands_in_its_way_is_told_first_with_what_mends_it(world: World) -> None:
    found = finding(world)
    assert (found.status, found.detail) == (Status.FAIL, f"there is no role {NAME}")
    made = document(found, "create")
    assert made["DataActions"] == list(NEEDED)
    assert made["AssignableScopes"] == [GROUP]
    world.setup()
    with pytest.raises(errors.CliError) as caught:
        world.changes(with_role(world))
    assert caught.value.code is errors.ADOPTED_UNFIT
    define(world, NEEDED[:1], [ELSEWHERE], actions=["*"], notActions=[*ACTIONS, "x/y/action"])
    assert finding(world).detail == f"there is no role {NAME}"
    found = finding(world, ID)
    assert found.status is Status.FAIL
    assert found.evidence == (*ACTIONS, *NEEDED[1:])
    assert f"lacks {', '.join(found.evidence)} and is not assignable in demo" in found.detail
    mended = document(found, "update")
    assert mended == {
        "Name": NAME,
        "Id": ID,
        "IsCustom": True,
        "Actions": ["*"],
        "NotActions": ["x/y/action"],
        "DataActions": list(NEEDED),
        "NotDataActions": [],
        "AssignableScopes": [ELSEWHERE, GROUP],
    }
    kept = {"actions": mended["Actions"], "notActions": mended["NotActions"]}
    define(world, mended["DataActions"], mended["AssignableScopes"], **kept)
    assert finding(world, ID).status is Status.PASS


def document(found: Finding, verb: str) -> dict[str, object]:
    *command, text = shlex.split(found.fix)
    assert command == ["az", "role", "definition", verb, "--role-definition"]
    parsed: dict[str, object] = json.loads(text)
    return parsed


def test_another_of_azures_own_will_do_if_it_is_enough(world: World) -> None:
    assert finding(world, OWNER).status is Status.PASS
    found = finding(world, "Storage Blob Data Reader")
    assert found.status is Status.FAIL
    assert found.fix == "give --storage-role another one"


def test_who_may_not_look_at_it_is_not_stopped_where_its_id_is_given(world: World) -> None:
    define(world)
    allowed = [item for item in role(Verb.SETUP)["Actions"] if "roleDefinitions" not in item]
    world.stand_in.set_admin_roles([{"Actions": allowed}])
    assert finding(world, ID).status is Status.UNKNOWN
    side = world.setup(with_role(world, ID))
    assert world.prove(side)


def test_the_role_of_setup_is_enough_to_look_at_it(world: World) -> None:
    define(world)
    world.stand_in.set_admin_roles([role(Verb.SETUP)])
    assert finding(world).status is Status.PASS
    world.setup(with_role(world))
