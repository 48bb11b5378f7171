"""One right less: it is named before anything is written, by setup, verify and delete."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.sandbox.coreweave.seed import ADMIN
from anyscale_k8s_cli.sandbox.wire import FaultKind
from anyscale_k8s_cli.spec import Scope
from tests.cloud_sides import KeptKeys

from .conftest import World

NAMED = re.compile(r"\b(?:cks|cwobject):\w+")


def printed(world: World, verb: Verb) -> list[str]:
    (document,) = world.provider.permissions(verb)
    used: list[str] = yaml.safe_load(document.text)["used"]
    return used


def take(world: World, *rights: str) -> None:
    world.stand_in.organisation.taken[ADMIN] = rights


def may_set_up(world: World, **more: object) -> Finding:
    spec = world.spec(**more)
    side = world.cloud_side(spec)
    world.plan(side)
    checks: list[BoundCheck] = list(world.provider.checks(spec, world.provider.discover(spec)))
    return next(item for item in checks if item.code == "coreweave-permissions").run()


def told(finding: Finding) -> str:
    return " ".join((finding.detail, *finding.evidence))


def told_of_setup(world: World) -> str:
    """By the check, or by what looking ended with."""
    try:
        finding = may_set_up(world)
    except CliError as problem:
        return f"{problem.code.slug}: {problem}"
    assert finding.status is Status.FAIL
    return told(finding)


def test_who_has_all_rights_passes(world: World) -> None:
    assert may_set_up(world).status is Status.PASS


def test_each_right_of_setup_that_is_taken_away_is_named(world: World) -> None:
    def one_by_one() -> None:
        for taken in printed(world, Verb.SETUP):
            take(world, taken)
            text = told_of_setup(replace(world))
            assert set(NAMED.findall(text)) == {taken}, text
            assert " on " in text or text.startswith(f"{errors.FORBIDDEN.slug}: "), text

    assert not world.writes(one_by_one)


def test_the_statement_gives_what_is_missing(world: World) -> None:
    take(world, "cwobject:EnsureAccessPolicy")
    fix = may_set_up(world).fix
    assert '"actions": ["cwobject:EnsureAccessPolicy"]' in fix
    assert f'"principals": ["coreweave/{ADMIN}"]' in fix
    assert "run the same command again" in fix


def test_each_right_of_verify_that_is_taken_away_is_named(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)

    def verify() -> str:
        another = replace(world)
        try:
            unsearched = another.provider.search(Scope(), "prod").unsearched
            cluster.changes(another)
        except CliError as problem:
            return f"{problem.code.slug}: {problem}"
        return " ".join(unsearched)

    def one_by_one() -> None:
        for taken in printed(world, Verb.VERIFY):
            take(world, taken)
            text = verify()
            assert set(NAMED.findall(text)) == {taken}, text

    assert not world.writes(one_by_one)


def test_each_right_of_delete_that_is_taken_away_is_named(world: World) -> None:
    """Before the bucket is looked into, too: that takes a key, which has to be revoked."""
    KeptKeys().setup(world)
    spec = world.spec()
    install = world.install(spec, world.provider.discover(spec))

    def survey() -> str:
        provider = world.elsewhere()
        try:
            provider.search(Scope(), "prod")
            provider.discover(provider.locate(install))
            owned = provider.find_owned(Scope(), install)
            for item in owned:
                item.observed = item.read()
        except CliError as problem:
            return f"{problem.code.slug}: {problem}"
        finding = provider.removal_rights(install, owned, ())
        assert finding.status is Status.FAIL
        return told(finding)

    keys = dict(world.stand_in.organisation.keys)
    for taken in printed(world, Verb.DELETE):
        take(world, taken)
        text = survey()
        assert set(NAMED.findall(text)) == {taken}, text
        assert world.stand_in.organisation.keys == keys
    take(world)


def test_what_is_there_needs_no_making(world: World) -> None:
    KeptKeys().setup(world)
    take(world, "cwobject:EnsureAccessPolicy", "cwobject:CreateAccessKey")
    finding = may_set_up(world)
    assert finding.status is Status.WARN
    assert set(NAMED.findall(told(finding))) == {
        *("cwobject:EnsureAccessPolicy", "cwobject:CreateAccessKey")
    }


def test_keys_of_ones_own_need_no_rights(world: World) -> None:
    take(world, "cwobject:EnsureAccessPolicy", "cwobject:CreateAccessKey")
    existing = {"bucket": "team-data", "storage_keys": "use"}
    spec = world.spec(existing=existing)
    world.cloud_side(spec)
    found = world.provider.checks(spec, world.provider.discover(spec))
    check = next(item for item in found if item.code == "coreweave-permissions")
    assert check.run().status is Status.PASS


def test_without_keys_the_role_of_pods_is_let_in_by_the_policy_alone(world: World) -> None:
    take(world, "cwobject:RevokeAccessKeyByAccessKey")
    assert may_set_up(world, existing={"storage_keys": "federation"}).status is Status.PASS
    take(world, "cwobject:CreateAccessKey")
    finding = may_set_up(world, existing={"storage_keys": "federation"})
    assert set(NAMED.findall(told(finding))) == {"cwobject:CreateAccessKey"}


@pytest.mark.parametrize("taken", ["cwobject:EnsureAccessPolicy", "cwobject:CreateAccessKey"])
def test_where_nobody_tells_it_the_failure_names_the_right_and_a_second_run_goes_on(
    world: World, taken: str
) -> None:
    """An older API does not know the question."""
    world.fault("cwobject:AuthCanI", FaultKind.ERROR, status=404, code="NOT_FOUND", times=0)
    take(world, taken)
    finding = may_set_up(world)
    assert finding.status is Status.UNKNOWN
    assert any(taken in line for line in finding.evidence)
    cluster = KeptKeys()
    with pytest.raises(CliError) as caught:
        cluster.setup(world)
    assert caught.value.code is errors.FORBIDDEN
    assert taken in caught.value.message
    take(world)
    cluster.setup(world)
    assert set(cluster.changes(world).values()) == {"none"}
    assert len(world.stand_in.organisation.keys) == 1
