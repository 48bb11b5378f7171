"""One statement less: what is refused is told with it, and nothing of a setup is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.oke import permissions
from anyscale_k8s_cli.sandbox.oci.seed import ADMINISTRATORS, COMPARTMENT_ID
from anyscale_k8s_cli.spec import Scope
from tests.cloud_sides import KeptKeys

from .conftest import World
from .test_teardown import put

PLACE = {"compartment_id": COMPARTMENT_ID}


def statements(verb: Verb) -> list[str]:
    return permissions.of(verb, ADMINISTRATORS, COMPARTMENT_ID)


def without(world: World, verb: Verb, statement: str) -> None:
    left = [item for item in statements(verb) if item != statement]
    world.stand_in.oci.set_admin_statements(left)


def core(statement: str) -> str:
    """What a statement is about: `manage users in`."""
    return statement.partition(" to ")[2].partition(" in ")[0] + " in "


def told_by(work: Callable[[], object]) -> tuple[str, str]:
    """What it ended with, and what is to be done about it."""
    try:
        work()
    except CliError as problem:
        return f"{problem.code.slug}: {problem}", problem.fix
    return "", ""


def may_set_up(world: World) -> Finding:
    spec = world.spec(account=PLACE)
    checks = world.provider.checks(spec, world.provider.discover(spec))
    return next(item for item in checks if item.code == "oci-permissions").run()


def test_every_call_has_its_statement(world: World) -> None:
    """Of a whole life: what is refused can always be told with what allows it."""
    _, install = world.installed()
    world.provider.search(Scope(), "prod")
    for item in reversed(world.provider.find_owned(Scope(), install)):
        observed = item.read()
        if observed is not None:
            item.delete(observed)
    world.provider.load_balancer_left(install, ["192.0.2.9"])
    calls = {
        event.call
        for event in world.events
        if isinstance(event, CallMade) and event.service == "oci"
    }
    assert len(calls) > 25
    everything = {*statements(Verb.SETUP), *statements(Verb.DELETE)}
    for call in calls:
        found = permissions.for_call(call)
        assert found
        assert {core(item) for item in found} <= {core(item) for item in everything}


def test_each_statement_to_look_that_is_missing_is_named_by_a_plan(world: World) -> None:
    cluster = KeptKeys()
    cluster.setup(world)
    quota = "read resource-availability in "

    def one_by_one() -> None:
        for statement in statements(Verb.PLAN):
            without(world, Verb.PLAN, statement)
            told, fix = told_by(partial(cluster.changes, replace(world)))
            if core(statement) == quota:
                # Nobody is stopped without it, and its own check says that it is not known.
                assert not told
                continue
            assert told.startswith(f"{errors.FORBIDDEN.slug}: "), (statement, told)
            assert core(statement) in fix, (statement, told, fix)

    assert not world.writes(one_by_one)


def test_each_statement_to_write_that_is_missing_is_named_and_a_second_run_goes_on(
    world: World,
) -> None:
    """Oracle tells nothing beforehand: it comes out with the call, and nothing is lost."""
    writes = [item for item in statements(Verb.SETUP) if item not in statements(Verb.PLAN)]
    assert len(writes) == 4
    for number, statement in enumerate(writes):
        cluster, name = KeptKeys(), f"cloud-{number}"
        without(world, Verb.SETUP, statement)
        another = replace(world)
        assert (
            f"unknown: {statement}".replace(ADMINISTRATORS, "<your group>")
            in may_set_up(another).evidence
        )
        told, fix = told_by(partial(cluster.setup, another, name=name, account=PLACE))
        assert told.startswith(f"{errors.FORBIDDEN.slug}: "), told
        assert core(statement) in fix
        assert "run the same command again" in fix
        world.stand_in.oci.set_admin_statements(statements(Verb.SETUP))
        cluster.setup(world, name=name, account=PLACE)
        assert set(cluster.changes(world, name=name, account=PLACE).values()) == {"none"}
    made = world.snapshot()
    for kind in ("users", "groups", "policies", "buckets"):
        ours = [key for key in made[kind] if "cloud-" in str(made[kind][key]) + key]
        assert len(ours) == len(writes), kind


def test_each_statement_to_delete_that_is_missing_is_named_and_a_second_run_goes_on(
    world: World,
) -> None:
    beside = [item for item in statements(Verb.DELETE) if item not in statements(Verb.VERIFY)]
    seen = [item.replace(" manage ", " read ") for item in beside if " manage " in item]
    before = world.snapshot()
    for number, statement in enumerate(beside):
        world.stand_in.oci.set_admin_statements(statements(Verb.SETUP))
        spec = world.spec(account=PLACE, name=f"cloud-{number}")
        _, install = world.installed(spec)
        put(world, install.name(limit=63))
        left = [item for item in statements(Verb.DELETE) if item != statement]
        world.stand_in.oci.set_admin_statements([*left, *seen])
        told, fix = told_by(partial(delete, world, install))
        assert told.startswith(f"{errors.FORBIDDEN.slug}: "), (statement, told)
        assert core(statement) in fix, (statement, fix)
        world.stand_in.oci.set_admin_statements(statements(Verb.DELETE))
        delete(world, install)
    after = world.snapshot()
    for kind in ("users", "groups", "members", "secret_keys", "buckets"):
        assert after[kind] == before[kind]


def delete(world: World, install: Install) -> None:
    provider = world.elsewhere()
    for item in sorted(
        provider.find_owned(Scope(), install), key=lambda item: len(item.needs), reverse=True
    ):
        observed = item.read()
        if observed is not None:
            item.delete(observed)
    provider.load_balancer_left(install, ["192.0.2.9"])


# -- what policies tell ----------------------------------------------------------------

PLAIN = "Allow group Administrators to manage all-resources in tenancy"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ([PLAIN], Status.PASS),
        (["allow group 'Default'/'Administrators' to manage all-resources IN TENANCY"], None),
        ([f"{PLAIN} where request.region = 'iad'", *["x"]], Status.UNKNOWN),
    ],
    ids=["plain", "with its domain", "with a condition"],
)
def test_a_policy_that_is_seen_is_an_answer(
    world: World, given: list[str], status: Status | None
) -> None:
    assert may_set_up(world).status is Status.PASS
    policy = world.stand_in.oci._policy
    policy.more["statements"] = [*statements(Verb.PLAN), *given, *LOOKS]
    assert may_set_up(world).status is (status or Status.PASS)


LOOKS = [f"Allow group {ADMINISTRATORS} to inspect policies in tenancy"]


def test_a_policy_that_denies_is_oracles_to_weigh(world: World) -> None:
    denial = "Deny group Administrators to manage buckets in tenancy"
    world.stand_in.oci.set_admin_statements([PLAIN, denial])
    found = may_set_up(world)
    assert found.status is Status.UNKNOWN
    assert len(found.evidence) == 4
