"""How a cluster is found, and what is told when it is not."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.provider import ClusterState, Verb
from anyscale_k8s_cli.providers.oke import codes, permissions
from anyscale_k8s_cli.sandbox.oci.seed import (
    ADMINISTRATORS,
    COMPARTMENT_ID,
    OTHER_COMPARTMENT_ID,
    ClusterSeed,
)
from anyscale_k8s_cli.sandbox.oci.standin import OciSettings
from tests.cloud_sides import KeptKeys

from .conftest import World

DEMO = ClusterSeed()
TWIN = ClusterSeed(compartment=OTHER_COMPARTMENT_ID)


def refused(world: World, **said: object) -> CliError:
    with pytest.raises(CliError) as caught:
        world.provider.discover(world.spec(**said))
    return caught.value


def test_it_is_found_by_its_name_in_whatever_compartment(world: World) -> None:
    found = world.provider.discover(world.spec())
    assert (found.account, found.region) == (COMPARTMENT_ID, "us-ashburn-1")
    assert found.version == "1.33.1"
    pools = {pool.name: pool for pool in found.node_pools}
    assert pools["gpu"].gpu_plugin_owner == "NvidiaGpuPlugin"
    assert not pools["cpu"].gpu


def test_by_its_id_and_by_its_compartment(world: World) -> None:
    for said in (
        {"cluster": {"name": DEMO.id}},
        {"account": {"compartment_id": COMPARTMENT_ID}},
    ):
        assert world.provider.discover(world.spec(**said)).name == "demo"


@pytest.mark.parametrize("settings", [OciSettings(clusters=(DEMO, TWIN))])
def test_several_are_listed(world: World) -> None:
    failure = refused(world)
    assert failure.code is codes.OKE_CLUSTER_AMBIGUOUS
    assert {DEMO.id in line or TWIN.id in line for line in failure.evidence} == {True}
    said = world.spec(account={"compartment_id": OTHER_COMPARTMENT_ID})
    assert world.provider.discover(said).account == OTHER_COMPARTMENT_ID


def test_one_that_is_not_there_is_told_with_those_that_are(world: World) -> None:
    failure = refused(world, cluster={"name": "prod"})
    assert failure.code is errors.CLUSTER_NOT_FOUND
    assert "demo" in failure.cause
    assert refused(world, region="us-phoenix-1").code is errors.CLUSTER_NOT_FOUND


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (
            OciSettings(clusters=(ClusterSeed(reads_while_creating=9),)),
            codes.OKE_CLUSTER_NOT_ACTIVE,
        ),
        (
            OciSettings(clusters=(ClusterSeed(node_pools=(), virtual=True),)),
            codes.OKE_VIRTUAL_NODES,
        ),
        (
            OciSettings(
                admin_statements=("Allow group Administrators to inspect users in tenancy",)
            ),
            errors.FORBIDDEN,
        ),
    ],
)
def test_what_stands_against_it(world: World, code: errors.ErrorCode) -> None:
    assert refused(world).code is code


def test_a_token_is_a_signed_request_that_the_cluster_can_verify(world: World) -> None:
    found = world.provider.discover(world.spec())
    assert found.access.token is not None
    token, oci = found.access.token(), world.stand_in.oci
    assert token.expires_at is not None
    assert token.expires_at - datetime.now(UTC) <= timedelta(minutes=4)
    said = oci.kubernetes_user(token.value, DEMO.id)
    assert said is not None
    assert said[0] == oci.admin_id
    assert said[2]
    assert oci.kubernetes_user(token.value, TWIN.id) is None
    url = base64.urlsafe_b64decode(token.value).decode()
    assert urlsplit(url).path.endswith(f"/cluster_request/{DEMO.id}")
    other = base64.urlsafe_b64encode(url.replace(DEMO.id, TWIN.id).encode()).decode()
    assert oci.kubernetes_user(other, TWIN.id) is None


def test_a_token_ends(start: Callable[[OciSettings], World]) -> None:
    late = [timedelta()]
    world = start(OciSettings(clock=lambda: datetime.now(UTC) + late[0]))
    found = world.provider.discover(world.spec())
    assert found.access.token is not None
    token = found.access.token().value
    late[0] = timedelta(minutes=5)
    assert world.stand_in.oci.kubernetes_user(token, DEMO.id) is None


@pytest.mark.parametrize(
    "settings", [OciSettings(clock=lambda: datetime.now(UTC) + timedelta(hours=1))]
)
def test_a_wrong_clock_is_told(world: World) -> None:
    failure = refused(world)
    assert failure.code is errors.CLOUD_CREDENTIALS_REJECTED
    assert "clock" in failure.fix


def test_a_profile_that_is_not_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCI_CONFIG_PROFILE", "NOBODY")
    assert refused(world, region="us-ashburn-1").code is errors.CLOUD_CREDENTIALS_MISSING


def test_variables_of_the_command_line_win(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = world.stand_in.oci.another_key(world.stand_in.oci.outsider_id)
    monkeypatch.setenv("OCI_CLI_USER", world.stand_in.oci.outsider_id)
    monkeypatch.setenv("OCI_CLI_FINGERPRINT", key.fingerprint)
    monkeypatch.setenv("OCI_CLI_KEY_CONTENT", key.pem)
    assert refused(world).code is errors.FORBIDDEN


def test_secrets_go_nowhere_unencrypted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCI_ENDPOINT", "http://oracle.example/{region}")
    assert refused(world).code is errors.INVALID_SPEC


def test_what_becomes_of_a_cluster(world: World) -> None:
    install = world.install(world.spec(), world.provider.discover(world.spec()))
    assert world.provider.cluster_state(install) is ClusterState.PRESENT
    assert world.provider.discover(world.provider.locate(install)).id == install.cluster
    world.stand_in.oci.delete_cluster("demo")
    assert world.provider.cluster_state(install) is ClusterState.DELETED


def test_the_printed_rights_are_enough_for_a_setup(world: World) -> None:
    statements = permissions.of(Verb.SETUP, ADMINISTRATORS, COMPARTMENT_ID)
    world.stand_in.oci.set_admin_statements(statements)
    KeptKeys().setup(world, account={"compartment_id": COMPARTMENT_ID})


def test_a_cluster_that_does_not_know_the_user_is_opened_by_one_command(world: World) -> None:
    access = world.provider.discover(world.spec()).access
    words = shlex.split(access.grant)
    assert words[:4] == ["oci", "iam", "policy", "create"]
    (statement,) = json.loads(words[-1])
    assert statement == (
        f"Allow any-user to manage clusters in compartment id {COMPARTMENT_ID} "
        f"where request.user.id = '{access.principal}'"
    )


def test_room_for_a_load_balancer_is_told(world: World) -> None:
    def quota(*, surely: bool = False) -> Finding:
        cluster = world.provider.discover(world.spec())
        checks = world.provider.checks(world.spec(), cluster)
        found = next(item for item in checks if item.code == "oci-load-balancer-quota")
        return (found.for_new(1) if surely else found).run()

    assert quota().detail.endswith("limit 50, used 0, needed 1")
    world.stand_in.oci.balancers.most = 0
    assert quota().status is Status.WARN
    assert quota(surely=True).status is Status.FAIL
    assert "oci nlb network-load-balancer list --region" in quota().fix
    statements = permissions.of(Verb.VERIFY, ADMINISTRATORS, COMPARTMENT_ID)
    world.stand_in.oci.set_admin_statements(statements)
    assert quota().status is Status.UNKNOWN


PRIVATE = replace(DEMO, public_endpoint=False)


@pytest.mark.parametrize("settings", [OciSettings(clusters=(PRIVATE,))])
def test_a_private_endpoint_is_told_before_anything_is_made(world: World) -> None:
    world.stand_in.oci.set_endpoint("demo", "https://127.0.0.1:1", b"")
    failure = refused(world)
    assert failure.code is errors.CLUSTER_UNREACHABLE
    assert "private endpoint alone" in failure.cause
    assert "127.0.0.1" in failure.evidence[0]


def test_a_named_subnet_must_fit_the_cluster(world: World) -> None:
    def found(subnet: str, expose: str = "public") -> Finding:
        spec = world.spec(network={"expose": expose, "load_balancer_subnets": [subnet]})
        checks = world.provider.checks(spec, world.provider.discover(spec))
        return next(item for item in checks if item.code == "oke-subnet-named").run()

    public, private = DEMO.subnet("public"), DEMO.subnet("private")
    assert found(public).detail == "public"
    assert found(private, "internal").status is Status.PASS
    wrong = found(private)
    assert wrong.status is Status.FAIL
    assert wrong.detail == "the subnet private is private, and the load balancer is to be public"
    assert f"--vcn-id {DEMO.network}" in wrong.fix
    elsewhere = replace(DEMO, name="elsewhere")
    world.stand_in.oci.balancers.clusters += (elsewhere,)
    other = found(elsewhere.subnet("public"))
    assert other.status is Status.FAIL
    assert elsewhere.network in other.detail
    # Oracle answers the same for what is not there and for what one may not see.
    unseen = found("ocid1.subnet.oc1.iad.none")
    assert unseen.status is Status.UNKNOWN
    assert "read subnets" in unseen.fix
