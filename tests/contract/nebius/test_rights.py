"""What is printed as needed is what is asked of Nebius, for each verb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.nebius import permissions, rights
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.nebius.seed import PROJECT_ID
from anyscale_k8s_cli.sandbox.nebius.standin import NebiusSettings
from anyscale_k8s_cli.spec import Scope
from tests.cloud_sides import KeptKeys, remove

from .conftest import World

# What any token is good for.
EVERYBODYS = {"an access token", "iam.profile.get", "operation.get"}


def asked(world: World, work: Callable[[], Any]) -> set[str]:
    """The rights that calls to Nebius took while `work` ran."""
    before = len(world.events)
    work()
    return {
        event.call
        for event in world.events[before:]
        if isinstance(event, CallMade) and event.service == "nebius"
    } - EVERYBODYS


def delete(world: World) -> None:
    """As a deletion goes that knows nothing, and is told to take the bucket too."""
    install = world.install(world.spec(), world.provider.discover(world.spec()))
    world.provider.search(Scope(), "prod")
    owned = world.provider.find_owned(Scope(), install)
    remove(owned, bucket=False)
    remove(world.provider.find_owned(Scope(), install), bucket=True)
    world.provider.load_balancer_left(install, ["192.0.2.1"])


def check_all(world: World) -> None:
    spec = world.spec()
    for check in world.provider.checks(spec, world.provider.discover(spec)):
        assert check.run().status is Status.PASS, check.code


def verify(world: World, cluster: KeptKeys) -> None:
    """On another machine, which remembers nothing."""
    world = replace(world)
    (install,) = world.provider.search(Scope(), "prod").installs
    world.provider.discover(world.provider.locate(install))
    assert set(cluster.changes(world).values()) == {"none"}


def change_by_hand(world: World) -> None:
    """So that everything that can be mended is."""
    tenant = world.stand_in.nebius.tenant
    for items in (tenant.accounts, tenant.groups, tenant.buckets):
        for item in items.items.values():
            item.metadata.labels.pop("anyscale-k8s-namespace", None)
    for permit in tenant.permits.items.values():
        if permit.spec.role == "storage.viewer":
            permit.spec.role = "storage.editor"
    for member in tenant.memberships.items.values():
        if member.spec.member_id not in (world.stand_in.nebius.admin_id,):
            member.spec.member_id = world.stand_in.nebius.outsider_id
    world.stand_in.nebius.expire_keys()


def test_each_verb_asks_for_what_is_printed_and_for_no_more(world: World) -> None:
    cluster = KeptKeys()
    made = asked(world, lambda: check_all(world)) | asked(world, lambda: cluster.setup(world))
    planned = asked(world, lambda: cluster.changes(world))
    assert planned <= set(permissions.of(Verb.PLAN))
    change_by_hand(world)
    mended = asked(world, lambda: cluster.setup(world))
    verified = asked(world, lambda: verify(world, cluster))
    assert verified == set(permissions.of(Verb.VERIFY))
    deleted = asked(world, lambda: delete(world))
    assert made | mended | planned == set(permissions.of(Verb.SETUP))
    assert deleted <= set(permissions.of(Verb.DELETE))
    only_for_deletion = set(permissions.of(Verb.DELETE)) - set(permissions.of(Verb.VERIFY))
    assert only_for_deletion <= deleted | {"storage.bucket.update"}


@pytest.mark.parametrize("settings", [NebiusSettings(admin_role="viewer", operation_polls=0)])
def test_a_plan_needs_no_more_than_its_role(world: World) -> None:
    (document,) = world.provider.permissions(Verb.PLAN)
    assert yaml.safe_load(document.text)["role"] == "viewer"
    assert set(KeptKeys().changes(world).values()) == {"create"}
    with pytest.raises(errors.CliError):
        KeptKeys().setup(world)


def may(world: World) -> Finding:
    cluster = world.provider.discover(world.spec())
    checks = world.provider.checks(world.spec(), cluster)
    return next(item for item in checks if item.code == "nebius-permissions").run()


def test_who_has_the_role_is_told_so(world: World) -> None:
    assert may(world).status is Status.PASS


@pytest.mark.parametrize("settings", [NebiusSettings(admin_role="viewer", operation_polls=0)])
def test_a_lesser_role_is_told_before_it_is_missed(world: World) -> None:
    found = may(world)
    assert found.status is Status.FAIL
    assert "are viewer, and setup takes admin" in found.detail
    assert f"iam.accesspermit.create on project {PROJECT_ID}" in found.evidence
    permit, membership, last = found.fix.splitlines()
    assert permit.endswith(f"--resource-id {PROJECT_ID} --role admin")
    assert membership.endswith(f"--member-id {world.stand_in.nebius.admin_id}")
    assert "run the same command again" in last


def test_a_lesser_role_is_told_before_anything_is_removed(world: World) -> None:
    KeptKeys().setup(world)
    install = world.install(world.spec(), world.provider.discover(world.spec()))
    owned = world.provider.find_owned(Scope(), install)
    assert world.provider.removal_rights(install, owned, ()).status is Status.PASS
    world.stand_in.nebius.set_admin_role("editor")
    found = world.provider.removal_rights(install, owned, ())
    assert found.status is Status.FAIL
    assert f"iam.group.delete on project {PROJECT_ID}" in found.evidence
    assert "delete takes admin" in found.detail


def test_each_right_to_write_that_is_missing_is_named_and_once_given_the_setup_goes_on(
    world: World,
) -> None:
    """Of single rights Nebius tells nothing beforehand. Where a setup does not need it, one that
    mends what somebody has changed does."""
    tenant = world.stand_in.nebius.tenant
    wanted = set(permissions.of(Verb.SETUP)) - set(permissions.of(Verb.PLAN))
    makes = {item for item in wanted if item.endswith((".create", ".getSecret"))}
    cluster = KeptKeys()
    for rights_to in (makes, wanted - makes):
        if rights_to is not makes:
            change_by_hand(world)
        tenant.taken = set(rights_to)
        while tenant.taken:
            told = told_by(replace(world), "prod", cluster.setup)
            named = {right for right in tenant.taken if right in told}
            assert named, told
            tenant.taken -= named
        cluster.setup(world)
    assert set(cluster.changes(world).values()) == {"none"}
    for collection in (tenant.buckets, tenant.accounts, tenant.groups):
        ours = [item for item in collection.items.values() if "prod" in item.metadata.name]
        assert len(ours) == 1


def test_each_right_to_look_that_is_missing_is_named_by_a_plan(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)

    def one_by_one() -> None:
        for right in permissions.of(Verb.PLAN):
            world.stand_in.nebius.tenant.taken = {right}
            told = told_by(replace(world), "prod", cluster.changes)
            assert right in told, told

    assert not world.writes(one_by_one)


def told_by(world: World, name: str, work: Callable[..., object]) -> str:
    """By its checks, as far as they could not tell, and by what it ended with."""
    told = ""
    try:
        spec = world.spec(name=name)
        for item in world.provider.checks(spec, world.provider.discover(spec)):
            found = item.run()
            told += found.detail if found.status is Status.UNKNOWN else ""
        work(world, name=name)
    except errors.CliError as problem:
        told += f"{problem.code.slug}: {problem}"
    return told


@pytest.mark.parametrize("settings", [NebiusSettings(admin_role="storage.editor")])
def test_a_role_that_tells_nothing_is_unknown(world: World) -> None:
    """Who may not see groups and permits is not held to have none."""
    found = rights.permitted(Nebius(Run(), PROJECT_ID), Verb.SETUP)
    assert found.status is Status.UNKNOWN


def test_room_is_told_by_nebius_own_names(world: World) -> None:
    def quotas() -> dict[str, Finding]:
        cluster = world.provider.discover(world.spec())
        found = world.provider.checks(world.spec(), cluster)
        return {item.code: item.run() for item in found if item.code.endswith("-quota")}

    found = quotas()
    assert found["nebius-bucket-quota"].status is Status.PASS
    assert found["nebius-bucket-quota"].detail.endswith("limit 20, used 0, needed 1")
    world.stand_in.nebius.addresses.remove_all()
    assert quotas()["nebius-address-quota"].status is Status.WARN
