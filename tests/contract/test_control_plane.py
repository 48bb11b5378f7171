"""Our client against the stand-in of the control plane, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane.client import Call, ControlPlane
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.credentials import Credentials
from anyscale_k8s_cli.controlplane.failures import ApiFailure
from anyscale_k8s_cli.controlplane.login import log_in
from anyscale_k8s_cli.controlplane.models import (
    Cloud,
    CloudResource,
    KubernetesConfig,
    NewCloud,
    ObjectStorage,
)
from anyscale_k8s_cli.controlplane.transport import Limits
from anyscale_k8s_cli.events import CallMade, Event
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.removal import Judge
from anyscale_k8s_cli.registration import RegisteredCloud, RegisteredResource
from anyscale_k8s_cli.resource import Change, Decision, Rights, decide
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.controlplane.accounts import COLLABORATOR, Seed
from anyscale_k8s_cli.sandbox.controlplane.clouds import Behaviour
from anyscale_k8s_cli.sandbox.controlplane.server import ControlPlaneStandIn
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule, Wire

TOKEN = "aph0_MARKER-of-a-secret"
QUICK = Limits(backoff=0.01, grace=0.2)
T = TypeVar("T")

ROLE = "arn:aws:iam::284710593866:role/anyscale/operator"


class World:
    """A stand-in, a client for it, and everything the client reported."""

    def __init__(self, stand_in: ControlPlaneStandIn) -> None:
        self.stand_in = stand_in
        self.events: list[Event] = []
        self.run = Run(listeners=(self.events.append,))
        self.clouds = Clouds(self.plane(TOKEN))

    def plane(self, token: str) -> ControlPlane:
        credentials = Credentials(self.stand_in.url, token, "the test")
        return ControlPlane(credentials, self.run, environ={}, limits=QUICK)

    def fault(self, kind: FaultKind, operation: str, **more: Any) -> None:
        self.stand_in.wire.inject(FaultRule(kind, operation=operation, **more))

    def names(self) -> list[str]:
        return [call.operation.name for call in self.stand_in.wire.calls()]

    async def created(self, name: str = "prod") -> Cloud:
        return await off_loop(lambda: self.clouds.create_cloud(new_cloud(name)))


async def off_loop(work: Callable[[], T]) -> T:
    """The client blocks, and the stand-in lives on the test's loop."""
    return await asyncio.to_thread(work)


def new_cloud(name: str, credentials: str | None = None) -> NewCloud:
    return NewCloud(
        name=name,
        provider="AWS",
        region="us-west-2",
        credentials=credentials or base64.b16encode(name.encode()).decode(),
    )


def resource(name: str = "eks-1f3a9c2e", bucket: str = "s3://data") -> CloudResource:
    return CloudResource(
        name=name,
        provider="AWS",
        region="us-west-2",
        object_storage=ObjectStorage(bucket_name=bucket, region="us-west-2"),
        kubernetes_config=KubernetesConfig(
            anyscale_operator_iam_identity=ROLE, zones=("us-west-2a",)
        ),
        aws_config={},
    )


@pytest.fixture
async def world() -> AsyncIterator[World]:
    behaviour = Behaviour(activation=0, deletion=0.2, add_failures=1)
    stand_in = ControlPlaneStandIn(Wire(), TOKEN, behaviour=behaviour)
    await stand_in.start()
    yield World(stand_in)
    await stand_in.stop()


async def test_who_am_i(world: World) -> None:
    user = await off_loop(world.clouds.user)
    assert user.email == "you@example.com"
    assert user.organization_permission_level == "owner"
    assert [o.name for o in user.organizations] == ["Demo"]


async def test_the_first_resource_meets_a_cloud_that_is_not_ready(world: World) -> None:
    cloud = await world.created()
    added = await off_loop(lambda: world.clouds.add_resource(cloud.id, resource()))
    assert added.name == "eks-1f3a9c2e"
    assert added.cloud_resource_id.startswith("cldrsrc_")
    assert added.is_default
    assert world.names().count("PUT /api/v2/clouds/{}/add_resource") == 2


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
async def test_a_resource_whose_answer_is_lost_is_not_added_twice(
    world: World, kind: FaultKind
) -> None:
    cloud = await world.created()
    world.fault(kind, "PUT */add_resource", nth=2)
    added = await off_loop(lambda: world.clouds.add_resource(cloud.id, resource()))
    assert [r["name"] for r in world.stand_in.snapshot()["clouds"][0]["resources"]] == [added.name]
    assert world.names().count("PUT /api/v2/clouds/{}/add_resource") == 2


async def test_adding_again_returns_what_is_there(world: World) -> None:
    cloud = await world.created()
    first = await off_loop(lambda: world.clouds.add_resource(cloud.id, resource()))
    other = resource(bucket="s3://other")
    again = await off_loop(lambda: world.clouds.add_resource(cloud.id, other))
    assert again.cloud_resource_id == first.cloud_resource_id
    assert again.object_storage is not None
    assert again.object_storage.bucket_name == "s3://data"


@pytest.mark.parametrize(
    ("bucket", "words"),
    [
        ("data", "scheme"),
        ("s3://data/below", "path below"),
        ("s3://my-bucket", "placeholder"),
        ("gs://data", "must start with s3://"),
    ],
)
async def test_a_refused_resource_is_not_tried_again(world: World, bucket: str, words: str) -> None:
    cloud = await world.created()
    with pytest.raises(ApiFailure, match=words):
        await off_loop(lambda: world.clouds.add_resource(cloud.id, resource(bucket=bucket)))
    assert world.names().count("PUT /api/v2/clouds/{}/add_resource") == 2


@pytest.mark.parametrize("kind", [FaultKind.DROP_AFTER, FaultKind.ERROR_AFTER])
async def test_a_cloud_whose_answer_is_lost_is_found_by_name(world: World, kind: FaultKind) -> None:
    world.fault(kind, "POST /api/v2/clouds/")
    cloud = await world.created()
    clouds = world.stand_in.snapshot()["clouds"]
    assert [(c["id"], c["name"]) for c in clouds] == [(cloud.id, "prod")]
    assert world.names().count("POST /api/v2/clouds/") == 1


async def test_a_lost_answer_never_adopts_somebody_elses_cloud(world: World) -> None:
    older = await world.created()
    world.fault(FaultKind.DROP, "POST /api/v2/clouds/")
    new = new_cloud("prod", "another")
    ours = await off_loop(lambda: world.clouds.create_cloud(new))
    assert ours.id != older.id
    assert len(await off_loop(lambda: world.clouds.find_clouds("prod"))) == 2


async def test_lists_are_read_to_the_last_page_and_names_compared_exactly(world: World) -> None:
    for number in range(12):
        await world.created(f"cloud-{number}")
    pages = world.clouds.plane.results(Call("GET", "/api/v2/clouds/"), page_size=5)
    assert len(await off_loop(lambda: list(pages))) == 12
    assert world.names().count("GET /api/v2/clouds/") >= 3
    found = await off_loop(lambda: world.clouds.find_clouds("cloud-1"))
    assert [cloud.name for cloud in found] == ["cloud-1"]


async def test_an_absent_cloud_is_none_and_other_failures_are_raised(world: World) -> None:
    assert await off_loop(lambda: world.clouds.get_cloud("cld_absent")) is None
    world.fault(FaultKind.ERROR, "GET /api/v2/clouds/{}", times=0)
    with pytest.raises(ApiFailure) as raised:
        await off_loop(lambda: world.clouds.get_cloud("cld_absent"))
    assert raised.value.code is errors.CONTROL_PLANE_FAILED


async def test_deletion_ends_when_the_cloud_is_no_longer_listed(world: World) -> None:
    cloud = await world.created()
    await off_loop(lambda: world.clouds.add_resource(cloud.id, resource()))
    await off_loop(lambda: world.clouds.start_deletion(cloud.id))
    shown = await off_loop(lambda: world.clouds.get_cloud(cloud.id))
    assert shown is not None
    assert shown.deleting
    await off_loop(lambda: world.clouds.delete_cloud(cloud.id))
    assert world.stand_in.snapshot()["clouds"] == []
    await off_loop(lambda: world.clouds.start_deletion(cloud.id))
    await off_loop(lambda: world.clouds.delete_cloud(cloud.id))


async def test_a_cloud_that_is_going_is_not_set_up_again(world: World) -> None:
    install = Install("eks", "284710593866", "us-west-2", "cluster/demo", "ray", "prod")

    def planned() -> Decision:
        record = RegisteredCloud(world.clouds, install, provider="AWS")
        return decide(record, record.read() or record.create(), Rights())

    assert (await off_loop(planned)).change is Change.NONE
    (cloud,) = await off_loop(lambda: world.clouds.find_clouds("prod"))
    await off_loop(lambda: world.clouds.start_deletion(cloud.id))
    with pytest.raises(errors.CliError) as raised:
        await off_loop(planned)
    assert raised.value.code is errors.CLOUD_DELETING


class TestCloudsThatNobodyCanSign:
    """Azure's records have no credentials that could tell who made them."""

    install = Install("aks", "s-1", "eastus", "/clusters/demo", "ray", "prod")

    def record(self, world: World) -> RegisteredCloud:
        return RegisteredCloud(world.clouds, self.install, provider="AZURE")

    async def made(self, world: World, *resources: str) -> Rights:
        """A cloud with these resources in it; the rights of a run that began to make it."""
        new = NewCloud(name="prod", provider="AZURE", region="eastus", credentials="")
        cloud = await off_loop(lambda: world.clouds.create_cloud(new))
        for name in resources:
            added = resource(name)
            await off_loop(lambda added=added: world.clouds.add_resource(cloud.id, added))
        return Rights(intended=frozenset({self.record(world).key}))

    async def decided(self, world: World, rights: Rights) -> tuple[Change, Change]:
        """What setup makes of it, and what delete does."""

        def look() -> tuple[Change, Change]:
            record = self.record(world)
            observed = record.read()
            assert observed is not None
            removal = Judge(rights, lambda install: install.cloud).decide(record, observed)
            return decide(record, observed, rights).change, removal.change

        return await off_loop(look)

    async def test_one_that_a_dead_run_began_is_gone_on_with(self, world: World) -> None:
        rights = await self.made(world)
        assert await self.decided(world, rights) == (Change.NONE, Change.DELETE)
        assert await self.decided(world, Rights()) == (Change.REFUSE, Change.KEEP)

    async def test_one_with_our_resource_alone_goes_with_it(self, world: World) -> None:
        await self.made(world, self.install.resource_name)
        assert await self.decided(world, Rights()) == (Change.NONE, Change.DELETE)

    @pytest.mark.parametrize("more", [True, False])
    async def test_one_of_somebody_elses_resource_stays(self, world: World, more: bool) -> None:
        ours = [self.install.resource_name] if more else []
        rights = await self.made(world, "aks-00000000", *ours)
        assert (await self.decided(world, rights))[1] is Change.KEEP


async def test_a_cloud_with_resources_is_not_deleted_without_warning(world: World) -> None:
    cloud = await world.created()
    await off_loop(lambda: world.clouds.delete_cloud(cloud.id))
    cloud = await world.created()
    await off_loop(lambda: world.clouds.add_resource(cloud.id, resource()))
    with pytest.raises(errors.CliError) as raised:
        await off_loop(lambda: world.clouds.delete_cloud(cloud.id))
    assert raised.value.code is errors.DELETION_REFUSED
    assert "not in the state DELETING" in raised.value.cause


async def test_active_workloads_refuse_a_deletion_unless_forced(world: World) -> None:
    cloud = await world.created()
    added = await off_loop(lambda: world.clouds.add_resource(cloud.id, resource()))
    world.stand_in.set_active_workloads(added.cloud_resource_id, 2)
    await off_loop(lambda: world.clouds.start_deletion(cloud.id))
    with pytest.raises(errors.CliError) as raised:
        await off_loop(lambda: world.clouds.delete_cloud(cloud.id))
    assert raised.value.code is errors.ACTIVE_WORKLOADS
    assert "2 active workload" in raised.value.cause
    assert any("x-trace-id" in line for line in raised.value.evidence)
    await off_loop(lambda: world.clouds.delete_cloud(cloud.id, force=True))


async def test_the_primary_resource_stays_and_others_go(world: World) -> None:
    cloud = await world.created()
    for name in ("first", "second"):
        added = resource(name)
        await off_loop(lambda added=added: world.clouds.add_resource(cloud.id, added))
    with pytest.raises(errors.CliError) as raised:
        await off_loop(lambda: world.clouds.remove_resource(cloud.id, "first"))
    assert raised.value.code is errors.DELETION_REFUSED
    for _ in range(2):
        await off_loop(lambda: world.clouds.remove_resource(cloud.id, "second"))
    left = await off_loop(lambda: world.clouds.list_resources(cloud.id))
    assert [item.name for item in left] == ["first"]


class TestCloudsOfOthers:
    """Signed by whoever made them; ours is added, and may be the first in them."""

    install = Install("eks", "284710593866", "us-west-2", "cluster/demo", "ray", "prod")

    def of(self, world: World) -> tuple[RegisteredCloud, RegisteredResource]:
        record = RegisteredCloud(world.clouds, self.install, provider="AWS", only_ours=True)
        return record, RegisteredResource(record, self.install, dict)

    async def refused(self, world: World) -> errors.CliError:
        """The cloud is kept, and what the deletion of our resource says."""

        def remove() -> None:
            record, ours = self.of(world)
            record.observed = record.read()
            assert record.observed is not None
            decision = Judge(Rights(), str).decide(record, record.observed)
            assert decision.change is Change.KEEP
            observed = ours.read()
            assert observed is not None
            ours.delete(observed)

        with pytest.raises(errors.CliError) as raised:
            await off_loop(remove)
        assert raised.value.code is errors.DELETION_REFUSED
        assert raised.value.exit_code == 5
        assert "primary" in raised.value.cause
        return raised.value

    async def test_the_first_resource_of_somebody_elses_cloud_waits_for_them(
        self, world: World
    ) -> None:
        cloud = await world.created()
        added = resource(self.install.resource_name)
        await off_loop(lambda: world.clouds.add_resource(cloud.id, added))
        assert "was made by somebody else" in (await self.refused(world)).fix
        assert not (await off_loop(lambda: world.clouds.get_cloud(cloud.id))).deleting
        await off_loop(lambda: world.clouds.start_deletion(cloud.id))
        await off_loop(lambda: world.clouds.delete_cloud(cloud.id))
        assert await off_loop(self.of(world)[0].read) is None

    async def test_the_first_resource_of_our_cloud_waits_for_the_others(self, world: World) -> None:
        record, _ = self.of(world)
        cloud_id = (await off_loop(record.create)).id
        for name in (self.install.resource_name, "second"):
            added = resource(name)
            await off_loop(lambda added=added: world.clouds.add_resource(cloud_id, added))
        assert "delete its other clusters first" in (await self.refused(world)).fix

        def seen() -> errors.CliError | None:
            record, ours = self.of(world)
            record.observed = record.read()
            observed = ours.read()
            assert observed is not None
            return ours.refusal(observed)

        told = await off_loop(seen)
        assert told is not None
        assert "others are in, too: second" in told.cause
        await off_loop(lambda: world.clouds.remove_resource(cloud_id, "second"))
        assert await off_loop(seen) is None

    async def test_a_further_resource_goes_alone(self, world: World) -> None:
        cloud = await world.created()
        for name in ("first", self.install.resource_name):
            added = resource(name)
            await off_loop(lambda added=added: world.clouds.add_resource(cloud.id, added))

        def remove() -> None:
            record, ours = self.of(world)
            record.observed = record.read()
            observed = ours.read()
            assert observed is not None
            ours.delete(observed)

        await off_loop(remove)
        left = await off_loop(lambda: world.clouds.list_resources(cloud.id))
        assert [item.name for item in left] == ["first"]


async def test_an_update_replaces_by_id(world: World) -> None:
    cloud = await world.created()
    read = await off_loop(lambda: world.clouds.add_resource(cloud.id, resource()))
    changed = read.model_copy(
        update={"kubernetes_config": KubernetesConfig(anyscale_operator_iam_identity=ROLE + "2")}
    )
    await off_loop(lambda: world.clouds.update_resources(cloud.id, [changed]))
    again = await off_loop(lambda: world.clouds.find_resource(cloud.id, read.name))
    assert again is not None
    assert again.kubernetes_config is not None
    assert again.kubernetes_config.anyscale_operator_iam_identity == ROLE + "2"
    assert again.cloud_resource_id == read.cloud_resource_id


async def test_reads_survive_passing_failures_and_writes_of_unknown_outcome_do_not_repeat(
    world: World,
) -> None:
    world.fault(FaultKind.ERROR, "GET /api/v2/userinfo/", times=2)
    world.fault(FaultKind.DROP, "GET /api/v2/userinfo/", nth=3)
    await off_loop(world.clouds.user)
    assert world.names().count("GET /api/v2/userinfo/") == 4
    world.fault(FaultKind.ERROR, "POST /api/v2/users/service_accounts", times=0)
    call = Call("POST", "/api/v2/users/service_accounts", query={"name": "bot"})
    with pytest.raises(ApiFailure):
        await off_loop(lambda: world.clouds.plane.result(call))
    assert world.names().count("POST /api/v2/users/service_accounts") == 1


async def test_retries_end(world: World) -> None:
    world.fault(FaultKind.ERROR, "GET /api/v2/userinfo/", times=0)
    with pytest.raises(ApiFailure) as raised:
        await off_loop(world.clouds.user)
    assert raised.value.status == 503
    assert world.names().count("GET /api/v2/userinfo/") == 4


async def test_a_rate_limit_without_a_time_is_told_at_once(world: World) -> None:
    world.fault(FaultKind.THROTTLE, "GET /api/v2/userinfo/")
    with pytest.raises(ApiFailure) as raised:
        await off_loop(world.clouds.user)
    assert raised.value.status == 429
    assert world.names().count("GET /api/v2/userinfo/") == 1


@pytest.mark.parametrize("token", ["aph0_unknown", ""])
async def test_a_rejected_token(world: World, token: str) -> None:
    clouds = Clouds(world.plane(token))
    with pytest.raises(ApiFailure) as raised:
        await off_loop(clouds.user)
    assert raised.value.code is errors.TOKEN_REJECTED
    assert raised.value.fix == "anyscale login"
    assert "the test" in raised.value.message


async def test_an_expired_token(world: World) -> None:
    world.stand_in.accounts.expire(TOKEN)
    with pytest.raises(ApiFailure, match="expired") as raised:
        await off_loop(world.clouds.user)
    assert raised.value.code is errors.TOKEN_REJECTED


async def test_only_owners_create_clouds() -> None:
    seed = Seed(permission_level=COLLABORATOR)
    stand_in = ControlPlaneStandIn(Wire(), TOKEN, seed=seed)
    await stand_in.start()
    try:
        with pytest.raises(ApiFailure) as raised:
            await World(stand_in).created()
    finally:
        await stand_in.stop()
    assert raised.value.code is errors.FORBIDDEN
    assert "owner" in raised.value.fix


async def test_a_validators_list_becomes_one_sentence(world: World) -> None:
    call = Call("POST", "/api/v2/clouds/", body={"name": "not a name", "provider": "AWS"})
    with pytest.raises(ApiFailure) as raised:
        await off_loop(lambda: world.clouds.plane.result(call))
    assert raised.value.status == 422
    assert "name: String should match pattern" in raised.value.detail
    assert "region: Field required" in raised.value.detail


async def test_nobody_there(world: World) -> None:
    await world.stand_in.stop()
    with pytest.raises(ApiFailure) as raised:
        await off_loop(world.clouds.user)
    assert raised.value.code is errors.CONTROL_PLANE_UNREACHABLE
    assert raised.value.status == 0


async def test_login_by_the_browser(world: World) -> None:
    shown: list[str] = []

    def open_browser(url: str) -> None:
        shown.append(url)
        assert httpx.get(url).status_code == 200

    token = await off_loop(lambda: log_in(world.plane(""), open_browser))
    user = await off_loop(Clouds(world.plane(token)).user)
    assert user.email == "you@example.com"
    otp = shown[0].rsplit("/", 1)[1]
    told = json.dumps([event.as_json() for event in world.events])
    assert otp not in told
    assert token not in told
    recorded = json.dumps([call.as_json()["operation"] for call in world.stand_in.wire.calls()])
    assert otp not in recorded


async def test_a_login_that_nobody_confirms_ends() -> None:
    stand_in = ControlPlaneStandIn(Wire(), TOKEN, login_polls=1_000)
    await stand_in.start()
    try:
        plane = World(stand_in).plane("")
        with pytest.raises(errors.CliError) as raised:
            await off_loop(lambda: log_in(plane, lambda _: None, patience=0.1))
    finally:
        await stand_in.stop()
    assert raised.value.code is errors.TIMED_OUT


async def test_the_token_is_in_no_event_and_no_error(world: World) -> None:
    call = Call("POST", "/api/v2/clouds/find_by_name", body={"name": TOKEN})
    with pytest.raises(ApiFailure) as raised:
        await off_loop(lambda: world.clouds.plane.result(call))
    await off_loop(world.clouds.user)
    assert any(isinstance(event, CallMade) for event in world.events)
    assert "MARKER" not in json.dumps([event.as_json() for event in world.events])
    assert "MARKER" not in json.dumps(raised.value.as_json())
    assert "***" in raised.value.cause
    assert "MARKER" not in repr(world.clouds.plane.credentials)


async def test_every_answer_has_a_trace_id_and_searches_are_no_writes(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.stand_in.url) as http:
        for path in ("/api/v2/health/", "/api/v2/userinfo/", "/nowhere"):
            assert (await http.get(path)).headers["x-trace-id"]
        # The vendor's client sends its token this way.
        answer = await http.get("/api/v2/userinfo/", headers={"Cookie": f"cli_token={TOKEN}"})
        assert answer.status_code == 200
        body = {"name": "x"}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        await http.post("/api/v2/clouds/find_by_name", json=body, headers=headers)
    assert world.stand_in.wire.calls(writes_only=True) == []


async def test_an_interruption_does_not_wait_for_an_answer(world: World) -> None:
    world.fault(FaultKind.HANG, "GET /api/v2/userinfo/")
    asked = asyncio.create_task(off_loop(world.clouds.user))
    rule = world.stand_in.wire.rules[0]
    while not rule.fired:  # noqa: ASYNC110 - rules are counted in other threads too
        await asyncio.sleep(0.01)
    world.run.stop()
    with pytest.raises(errors.CliError) as raised:
        await asyncio.wait_for(asked, 10)
    assert raised.value.code is errors.INTERRUPTED
    world.stand_in.wire.clear_faults()


async def test_a_private_authority(tmp_path: Path) -> None:
    authority = Authority()
    stand_in = ControlPlaneStandIn(Wire(), TOKEN, authority=authority)
    await stand_in.start()
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(authority.ca_pem)
    credentials = Credentials(stand_in.url, TOKEN, "the test")
    try:
        blind = Clouds(ControlPlane(credentials, Run(), environ={}, limits=QUICK))
        with pytest.raises(ApiFailure, match="certificate not trusted") as raised:
            await off_loop(blind.user)
        assert "ANYSCALE_SSL_CA_CERT" in raised.value.fix
        environ = {"SSL_CERT_FILE": "/nowhere", "REQUESTS_CA_BUNDLE": str(bundle)}
        seeing = Clouds(ControlPlane(credentials, Run(), environ=environ, limits=QUICK))
        assert (await off_loop(seeing.user)).email
    finally:
        await stand_in.stop()


@pytest.mark.parametrize("kind", ["folder", "absent", "garbage"])
def test_bundles_that_cannot_be_used(tmp_path: Path, kind: str) -> None:
    bundle = {"folder": tmp_path, "absent": tmp_path / "no", "garbage": tmp_path / "garbage"}[kind]
    if kind == "garbage":
        bundle.write_text("no certificate")
    credentials = Credentials("https://console.example.com", TOKEN, "the test")
    with pytest.raises(errors.CliError) as raised:
        ControlPlane(credentials, Run(), environ={"CURL_CA_BUNDLE": str(bundle)})
    assert raised.value.code is errors.USAGE
    assert "CURL_CA_BUNDLE" in raised.value.message


async def test_the_servers_clock(world: World) -> None:
    moment = await off_loop(world.clouds.plane.server_time)
    assert moment.tzinfo is not None
