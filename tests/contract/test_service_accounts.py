"""Service accounts and the operator's key, against the stand-in of the control plane."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.controlplane.client import ControlPlane
from anyscale_k8s_cli.controlplane.credentials import Credentials
from anyscale_k8s_cli.controlplane.failures import ApiFailure
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.controlplane.transport import Limits
from anyscale_k8s_cli.events import CallMade, Event
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.token_check import TokenCheck
from anyscale_k8s_cli.operator_token import (
    DEFAULT_DAYS,
    InstalledTokens,
    OperatorAccount,
    OperatorKey,
    OperatorToken,
    SignIn,
)
from anyscale_k8s_cli.plan import Plan, compute
from anyscale_k8s_cli.resource import Change, NotYetKnown, Observed, Rights
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.controlplane.accounts import COLLABORATOR, Seed
from anyscale_k8s_cli.sandbox.controlplane.server import ControlPlaneStandIn
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule, Wire

TOKEN = "aph0_MARKER-of-a-person"
QUICK = Limits(backoff=0.01, grace=0.2)
INSTALL = Install("generic", "onprem", "onprem", "uid-1", "anyscale-operator", "prod", "uid-1")
ACCOUNT = INSTALL.name(limit=63)
T = TypeVar("T")


class Clock:
    """The control plane's own time, for its rules; what it answers in headers is the real one."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class World:
    """A control plane, and a cluster that is told of by what its release and pods hold."""

    def __init__(self, stand_in: ControlPlaneStandIn, clock: Clock) -> None:
        self.stand_in = stand_in
        self.clock = clock
        self.events: list[Event] = []
        self.run = Run(listeners=(self.events.append,))
        self.accounts = self.as_(TOKEN)
        self.installed = InstalledTokens()

    def as_(self, token: str) -> ServiceAccounts:
        credentials = Credentials(self.stand_in.url, token, "the test")
        return ServiceAccounts(ControlPlane(credentials, self.run, environ={}, limits=QUICK))

    def sign_in(self, **more: object) -> SignIn:
        return SignIn(self.accounts, INSTALL, **more)  # type: ignore[arg-type]

    async def planned(self, sign_in: SignIn | None = None) -> tuple[Plan, OperatorKey]:
        sign_in = sign_in or self.sign_in()
        parts = await off_loop(lambda: sign_in.token(lambda: self.installed))
        assert isinstance(parts.token, OperatorKey)
        return await compute(parts.resources, Rights(), self.run), parts.token

    async def made(self, sign_in: SignIn | None = None) -> tuple[OperatorKey, OperatorToken]:
        """A sign-in that was made, up to where its token would be installed."""
        plan, key = await self.planned(sign_in)
        for item in plan.changes:
            resource = item.resource
            if item.change is Change.CREATE:
                resource.observed = await off_loop(resource.create)
            elif item.change is Change.UPDATE:
                found = await off_loop(resource.read)
                assert found is not None
                resource.observed = await off_loop(partial(resource.update, found, ()))
        return key, key.output

    async def set_up(self, sign_in: SignIn | None = None) -> OperatorToken:
        key, token = await self.made(sign_in)
        self.installed = InstalledTokens(token, frozenset({token.key_id}))
        await off_loop(key.retire)
        return token

    def live(self, name: str = ACCOUNT) -> set[str]:
        """The ids of the keys of a service account that are of use."""
        accounts = self.stand_in.accounts
        people = [one for one in accounts.service_accounts() if one.name == name]
        return {key.id for one in people for key in accounts.live_keys(one.id)}

    async def found(self, *, before: bool, sign_in: SignIn | None = None) -> tuple[Status, str]:
        check = TokenCheck(sign_in or self.sign_in(), lambda: self.installed)
        finding = await off_loop((check.before() if before else check.now()).run)
        return finding.status, finding.detail


async def off_loop(work: Callable[[], T]) -> T:
    """The client blocks, and the stand-in lives on the test's loop."""
    return await asyncio.to_thread(work)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = Clock()
    stand_in = ControlPlaneStandIn(Wire(), TOKEN, clock=clock)
    await stand_in.start()
    yield World(stand_in, clock)
    await stand_in.stop()


def changes(plan: Plan) -> list[str]:
    return [item.change.value for item in plan.changes]


# -- the client ---------------------------------------------------------------------


async def test_an_account_is_made_found_and_removed_with_its_keys(world: World) -> None:
    made = await off_loop(lambda: world.accounts.create("bot"))
    assert await off_loop(lambda: world.accounts.find("bot")) == made
    assert await off_loop(lambda: world.accounts.find("bo")) is None
    assert await off_loop(lambda: world.accounts.create("bot")) == made  # once more is no second
    minted = await off_loop(lambda: world.accounts.mint(made, "k", timedelta(days=1)))
    assert world.live("bot") == {minted.key.id}

    await off_loop(lambda: world.accounts.delete(made))
    await off_loop(lambda: world.accounts.delete(made))

    assert await off_loop(lambda: world.accounts.find("bot")) is None
    with pytest.raises(ApiFailure) as refused:
        await off_loop(lambda: world.as_(minted.token).own_keys())
    assert refused.value.code is errors.TOKEN_REJECTED


async def test_a_key_lives_as_long_as_asked_and_ends_when_revoked(world: World) -> None:
    bot = await off_loop(lambda: world.accounts.create("bot"))
    minted = await off_loop(lambda: world.accounts.mint(bot, "k", timedelta(days=90)))

    assert abs(minted.key.expires_at - world.clock() - timedelta(days=90)) < timedelta(minutes=5)
    assert [key.id for key in await off_loop(lambda: world.as_(minted.token).own_keys())] == [
        minted.key.id
    ]
    await off_loop(lambda: world.accounts.revoke(minted.key.id))
    await off_loop(lambda: world.accounts.revoke(minted.key.id))  # gone already is success
    assert await off_loop(lambda: world.accounts.keys(user_id=bot.user_id)) == []


async def test_more_keys_than_fit_on_a_page_are_all_listed(world: World) -> None:
    world.stand_in.accounts.key_limit = 200
    bot = await off_loop(lambda: world.accounts.create("bot"))
    for number in range(60):
        world.stand_in.accounts.mint(bot.user_id, 3600, f"k{number}")

    assert len(await off_loop(lambda: world.accounts.keys(user_id=bot.user_id))) == 60


async def test_a_key_whose_token_was_lost_on_the_way_is_not_left_behind(world: World) -> None:
    bot = await off_loop(lambda: world.accounts.create("bot"))
    rule = FaultRule(
        FaultKind.ERROR_AFTER, operation="POST /api/v2/users/create_api_key", status=502, times=1
    )
    world.stand_in.wire.inject(rule)

    minted = await off_loop(lambda: world.accounts.mint(bot, "k", timedelta(days=1)))

    assert world.live("bot") == {minted.key.id}
    assert len(world.stand_in.accounts.keys_of(bot.user_id)) == 2


async def test_who_is_no_owner_may_not_do_it(world: World) -> None:
    stand_in = ControlPlaneStandIn(Wire(), TOKEN, seed=Seed(permission_level=COLLABORATOR))
    await stand_in.start()
    accounts = World(stand_in, world.clock).accounts
    try:
        for work in (lambda: accounts.create("bot"), lambda: accounts.keys(name="k")):
            with pytest.raises(errors.CliError) as refused:
                await off_loop(work)
            assert refused.value.code is errors.FORBIDDEN
    finally:
        await stand_in.stop()


async def test_limits_are_told_in_the_control_planes_words(world: World) -> None:
    world.stand_in.accounts.key_limit = 1
    bot = await off_loop(lambda: world.accounts.create("bot"))
    await off_loop(lambda: world.accounts.mint(bot, "first", timedelta(days=1)))

    with pytest.raises(errors.CliError, match="which is the limit"):
        await off_loop(lambda: world.accounts.mint(bot, "second", timedelta(days=1)))
    with pytest.raises(errors.CliError, match="not a valid name"):
        await off_loop(lambda: world.accounts.create("no spaces"))


# -- the operator's key -------------------------------------------------------------


async def test_a_second_setup_finds_its_key_and_makes_none(world: World) -> None:
    plan, key = await world.planned()
    assert changes(plan) == ["create", "create"]
    assert f"{DEFAULT_DAYS} days" in key.title
    with pytest.raises(NotYetKnown):
        _ = key.output
    token = await world.set_up()

    plan, key = await world.planned()

    assert changes(plan) == ["none", "none"]
    assert key.output == token
    assert world.live() == {token.key_id}


async def test_what_died_between_making_a_key_and_installing_it_leaves_no_key(world: World) -> None:
    _, lost = await world.made()
    assert world.live() == {lost.key_id}

    plan, _ = await world.planned()
    assert changes(plan) == ["none", "update"]
    token = await world.set_up()

    assert world.live() == {token.key_id} != {lost.key_id}
    assert changes((await world.planned())[0]) == ["none", "none"]


async def test_a_rotation_revokes_nothing_that_is_in_use(world: World) -> None:
    old = await world.set_up()
    key, new = await world.made(world.sign_in(renew=True))
    assert world.live() == {old.key_id, new.key_id}

    world.installed = InstalledTokens(new, frozenset({old.key_id, new.key_id}))
    assert await off_loop(key.retire) == (old.key_id,)

    assert world.live() == {new.key_id}


async def test_a_rotation_that_died_before_its_key_was_installed_is_undone(world: World) -> None:
    old = await world.set_up()
    _, lost = await world.made(world.sign_in(renew=True))

    plan, _ = await world.planned()
    assert [str(change.field) for change in plan.changes[1].decision.fields] == [
        f"left-over key {lost.key_id[:8]}"
    ]
    token = await world.set_up()

    assert token.key_id == old.key_id
    assert world.live() == {old.key_id}


async def test_a_rotation_that_died_before_it_revoked_is_finished(world: World) -> None:
    old = await world.set_up()
    _, new = await world.made(world.sign_in(renew=True))
    world.installed = InstalledTokens(new, frozenset({old.key_id}))  # the new pod is not up yet

    key, token = await world.made()
    assert token == new
    assert world.live() == {old.key_id, new.key_id}  # a pod still uses the old one

    await off_loop(key.retire)
    assert world.live() == {new.key_id}


@pytest.mark.parametrize("how", ["revoked", "expired", "put in its place", "account deleted"])
async def test_a_key_that_is_of_no_use_is_replaced(world: World, how: str) -> None:
    old = await world.set_up()
    accounts = world.stand_in.accounts
    if how == "revoked":
        accounts.revoke(old.key_id)
    elif how == "expired":
        accounts.keys[old.key_id].expires_at -= timedelta(days=2 * DEFAULT_DAYS)
    elif how == "account deleted":
        accounts.remove(accounts.service_accounts()[0].identity)
    else:
        # Somebody gave the release another token; the key that is named beside it is not its.
        world.installed = InstalledTokens(None, frozenset({old.key_id}))

    new = await world.set_up()

    assert new.key_id != old.key_id
    assert world.live() == {new.key_id}


async def test_an_account_that_is_named_is_used_and_never_deleted(world: World) -> None:
    await off_loop(lambda: world.accounts.create("ours-by-hand"))
    sign_in = world.sign_in(account="ours-by-hand")
    token = await world.set_up(sign_in)
    assert world.live("ours-by-hand") == {token.key_id}
    assert await off_loop(lambda: world.accounts.find(ACCOUNT)) is None

    plan, _ = await world.planned(sign_in)
    assert changes(plan) == ["adopt", "none"]
    await removed(sign_in, world)

    assert world.live("ours-by-hand") == set()
    assert await off_loop(lambda: world.accounts.find("ours-by-hand")) is not None


async def test_an_account_that_is_named_must_be_there(world: World) -> None:
    plan, _ = await world.planned(world.sign_in(account="absent"))

    with pytest.raises(errors.CliError) as refused:
        plan.raise_for_refusals()
    assert refused.value.code is errors.ADOPTED_MISSING
    assert world.stand_in.accounts.service_accounts() == []


async def removed(sign_in: SignIn, world: World) -> None:
    """What a teardown does with what it decides to delete, keys before accounts."""
    from anyscale_k8s_cli.operations.removal import Judge

    for resource in reversed(sign_in.removals()):
        found: Observed[object] | None = await off_loop(resource.read)
        if found and Judge(Rights(), str).decide(resource, found).change is Change.DELETE:
            await off_loop(lambda it=resource, seen=found: it.delete(seen))  # type: ignore[misc]


async def test_a_teardown_needs_no_cluster_to_find_key_and_account(world: World) -> None:
    token = await world.set_up()
    stranger = await off_loop(lambda: world.accounts.create("stranger"))
    await off_loop(lambda: world.accounts.mint(stranger, "theirs", timedelta(days=1)))

    await removed(world.sign_in(), world)

    assert await off_loop(lambda: world.accounts.find(ACCOUNT)) is None
    assert world.stand_in.accounts.ended(token.key_id)
    assert len(world.live("stranger")) == 1


async def test_another_account_than_before_gets_a_key_of_its_own(world: World) -> None:
    old = await world.set_up()
    await off_loop(lambda: world.accounts.create("bot"))

    new = await world.set_up(world.sign_in(account="bot"))

    assert world.live("bot") == {new.key_id}
    assert old.key_id not in world.live()


async def test_a_persons_own_token_is_used_as_it_is(world: World) -> None:
    sign_in = world.sign_in(own=True)
    parts = sign_in.token()
    plan = await compute(parts.resources, Rights(), world.run)

    assert changes(plan) == ["adopt"]
    assert parts.token.output.token == TOKEN
    assert world.stand_in.accounts.service_accounts() == []


# -- how long it lives --------------------------------------------------------------


async def test_a_key_lives_no_longer_than_the_organisation_allows(world: World) -> None:
    world.stand_in.accounts.longest_days = 90
    token = await world.set_up()
    assert token.expires_at is not None
    assert token.expires_at - world.clock() < timedelta(days=91)

    status, detail = await world.found(before=True, sign_in=world.sign_in(days=365))
    assert status is Status.FAIL
    assert "90 days at most" in detail
    check = TokenCheck(world.sign_in(days=365), lambda: world.installed).before()
    assert check.check.error is errors.TOKEN_LIFETIME


async def test_a_key_that_ends_soon_is_warned_of_with_the_command(world: World) -> None:
    await world.set_up(world.sign_in(days=20))

    for before in (True, False):
        status, detail = await world.found(before=before)
        assert status is Status.WARN
        assert "anyscale cloud rotate-token prod" in detail


async def test_a_key_that_lasts_is_well_and_one_that_was_revoked_is_not(world: World) -> None:
    assert (await world.found(before=True))[0] is Status.PASS
    token = await world.set_up()
    assert (await world.found(before=False))[0] is Status.PASS

    world.stand_in.accounts.revoke(token.key_id)

    assert await world.found(before=False) == (
        Status.FAIL,
        "the key that the operator signs in with is revoked",
    )
    assert (await world.found(before=True))[0] is Status.PASS  # setup makes another


async def test_a_persons_own_token_is_warned_of_with_its_end(world: World) -> None:
    status, detail = await world.found(before=True, sign_in=world.sign_in(own=True))

    assert status is Status.WARN
    ends = world.stand_in.accounts.keys_of(world.stand_in.seed.user_id)[0].expires_at
    assert f"expires on {ends:%Y-%m-%d}" in detail


async def test_no_token_is_told_to_anyone(world: World) -> None:
    token = await world.set_up()
    said = [
        event.model_dump_json() if hasattr(event, "model_dump_json") else repr(event)
        for event in world.events
    ]
    calls = [repr(call) for call in world.stand_in.wire.calls()]

    assert any(isinstance(event, CallMade) for event in world.events)
    assert not [
        line for line in (*said, *calls, repr(token), repr(world.installed)) if token.token in line
    ]
    assert TOKEN not in " ".join((*said, *calls))


def test_a_fingerprint_tells_one_token_of_a_key_from_another() -> None:
    one, other = OperatorToken("k", None, "a"), OperatorToken("k", None, "b")

    assert one.fingerprint != other.fingerprint
    assert one.fingerprint == OperatorToken("k", None, "a").fingerprint


def test_the_account_is_named_for_the_install() -> None:
    account = OperatorAccount(None, INSTALL)  # type: ignore[arg-type]

    assert INSTALL.id in account.name
    assert account.key == f"anyscale:service-account/{account.name}"
