"""What the provider finds out, and how it fails to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.gcs import codes as gcs_codes
from anyscale_k8s_cli.providers.gke import codes
from anyscale_k8s_cli.providers.gke.discovery import GkeFacts
from anyscale_k8s_cli.sandbox.google.seed import AUTOMATION, ZONAL, email_of
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind
from anyscale_k8s_cli.spec import ClusterSpec, Scope

from .conftest import CA_PEM, CLUSTER, ENDPOINT, World

Start = Callable[[GoogleSettings], World]
AMONG = "container.projects.locations.clusters"


def refused(world: World, **more: Any) -> errors.CliError:
    with pytest.raises(errors.CliError) as caught:
        world.provider.discover(world.spec(**more))
    return caught.value


def test_the_cluster_as_google_tells_of_it(world: World) -> None:
    cluster = world.provider.discover(world.spec())
    assert cluster.id == "projects/demo/locations/us-central1/clusters/demo"
    assert (cluster.account, cluster.region) == ("demo", "us-central1")
    assert cluster.version == "1.33.2-gke.1111000"
    assert cluster.zones == ("us-central1-a", "us-central1-b", "us-central1-c")
    assert cluster.access.endpoint == f"https://{ENDPOINT}"
    assert cluster.access.ca_pem == CA_PEM.decode()
    facts: GkeFacts = cluster.facts
    assert facts.workload_pool == "demo.svc.id.goog"
    assert facts.pools_without_identity == ()
    cpu, gpu = sorted(cluster.node_pools, key=lambda pool: pool.name)
    assert (cpu.gpu, cpu.gpu_plugin_owner) == (False, "")
    assert (gpu.gpu, gpu.gpu_driver, gpu.gpu_plugin_owner) == (True, "GKE", "GKE")


@pytest.mark.parametrize("where", [None, "us-central1", "us-central1-f"])
def test_a_zonal_cluster_needs_no_zone(world: World, where: str | None) -> None:
    cluster = world.provider.discover(world.spec(region=where, cluster={"name": "zonal"}))
    assert cluster.id == "projects/demo/locations/us-central1-f/clusters/zonal"
    assert (cluster.region, cluster.zones) == ("us-central1", ("us-central1-f",))


def test_a_name_that_is_there_twice(start: Start) -> None:
    twins = [replace(ZONAL, location=f"us-central1-{letter}") for letter in "ab"]
    world = start(GoogleSettings(clusters=(CLUSTER, *twins, replace(ZONAL, name="demo"))))
    error = refused(world, cluster={"name": "zonal"})
    assert error.code is codes.CLUSTER_AMBIGUOUS
    assert set(error.evidence) == {"us-central1-a", "us-central1-b"}
    # The command that is told is the way out, and so is the region of a regional one.
    where = error.fix.rpartition(" ")[2]
    assert world.provider.discover(world.spec(region=where, cluster={"name": "zonal"}))
    assert refused(world).fix.endswith("--region us-central1")
    assert world.provider.discover(world.spec(region="us-central1")).id == CLUSTER.path


def test_a_cluster_that_is_not_there(world: World) -> None:
    error = refused(world, cluster={"name": "dmeo"})
    assert error.code is errors.CLUSTER_NOT_FOUND
    assert "demo (us-central1), zonal (us-central1-f)" in error.cause
    assert refused(world, region="europe-west4").code is errors.CLUSTER_NOT_FOUND


def test_a_zone_that_does_not_answer_is_no_proof_of_absence(world: World) -> None:
    world.stand_in.clusters.silent.add("us-central1-f")
    error = refused(world, cluster={"name": "zonal"})
    assert error.code is gcs_codes.GCP_FAILED
    assert "us-central1-f" in error.cause
    assert world.provider.discover(world.spec())


def test_autopilot_is_refused(world: World) -> None:
    error = refused(world, cluster={"name": "auto"})
    assert error.code is codes.AUTOPILOT
    assert "Standard" in error.fix


@pytest.mark.parametrize(("status", "usable"), [("DEGRADED", True), ("ERROR", False)])
def test_the_status_decides(start: Start, status: str, usable: bool) -> None:
    world = start(GoogleSettings(clusters=(replace(CLUSTER, status=status),)))
    if usable:
        assert world.provider.discover(world.spec())
    else:
        error = refused(world)
        assert error.code is codes.CLUSTER_NOT_RUNNING
        assert status in error.message


def test_a_cluster_that_is_still_made(start: Start) -> None:
    world = start(GoogleSettings(clusters=(replace(CLUSTER, reads_while_creating=1),)))
    assert "PROVISIONING" in refused(world).message
    assert world.provider.discover(world.spec())


def test_clusters_are_listed_for_a_question(world: World) -> None:
    scope = Scope(account=world.spec().account)
    assert world.provider.clusters(scope) == ["demo", "zonal", "auto"]
    elsewhere = scope.model_copy(update={"region": "europe-west4"})
    assert world.provider.clusters(elsewhere) == []


# -- the way to the cluster -------------------------------------------------------------


def with_endpoints(start: Start, dns: str = "", **seed: Any) -> World:
    world = start(GoogleSettings(clusters=(replace(CLUSTER, **seed),)))
    for cluster in world.stand_in.clusters.all():
        cluster.dns_endpoint = dns
    return world


@pytest.mark.parametrize(
    "seed",
    [{"ip_endpoint": False}, {"public_endpoint": False}, {"admitted": ("203.0.113.0/24",)}],
    ids=["no address", "private", "authorized networks"],
)
def test_the_dns_endpoint_has_an_authority_that_everybody_trusts(
    start: Start, seed: dict[str, Any]
) -> None:
    world = with_endpoints(start, "demo.gke.example", dns_endpoint=True, **seed)
    access = world.provider.discover(world.spec()).access
    assert (access.endpoint, access.ca_pem) == ("https://demo.gke.example", "")


def test_an_address_that_is_open_to_all_comes_before_the_dns_endpoint(start: Start) -> None:
    world = with_endpoints(start, "demo.gke.example", dns_endpoint=True)
    access = world.provider.discover(world.spec()).access
    assert (access.endpoint, access.ca_pem) == (f"https://{ENDPOINT}", CA_PEM.decode())


@pytest.mark.parametrize(
    ("seed", "cause"),
    [
        ({"public_endpoint": False}, "private"),
        ({"admitted": ("203.0.113.0/24", "198.51.100.7/32")}, "203.0.113.0/24, 198.51.100.7/32"),
        ({"ip_endpoint": False}, "private"),
    ],
    ids=["private", "authorized networks", "no way at all"],
)
def test_a_cluster_out_of_reach_is_told_with_the_way_in(
    start: Start, seed: dict[str, Any], cause: str
) -> None:
    world = with_endpoints(start, "demo.gke.example", **seed)
    started = time.monotonic()
    error = refused(world)
    assert time.monotonic() - started < 15
    assert error.code is errors.CLUSTER_UNREACHABLE
    assert cause in error.cause
    assert "--enable-dns-access" in error.fix


def test_a_context_that_is_named_is_not_second_guessed(start: Start) -> None:
    world = with_endpoints(start, public_endpoint=False)
    named = ClusterSpec(name="demo", context="through-the-vpn")
    assert world.provider.discover(world.spec(cluster=named.model_dump()))


# -- credentials ----------------------------------------------------------------------


def test_the_token_is_one_that_the_cluster_knows(world: World) -> None:
    access = world.provider.discover(world.spec()).access
    assert access.token is not None
    name, admin = world.stand_in.kubernetes_user(access.token().value) or ("", False)
    assert (name, admin) == (access.principal, True)
    assert f"--member=serviceAccount:{access.principal} " in access.grant


def test_impersonation(world: World) -> None:
    automation = email_of(AUTOMATION)
    spec = world.spec(credentials={"impersonate": automation})
    calls = world.calls(lambda: world.changes(spec))
    for call in calls:
        if call.operation.service not in ("oauth2", "iamcredentials"):
            assert call.operation.principal == automation, call
    access = world.provider.discover(spec).access
    assert access.token is not None
    assert access.principal == automation
    assert world.stand_in.kubernetes_user(access.token().value) == (automation, True)


def test_an_account_that_one_may_not_act_as(world: World) -> None:
    stranger = email_of("team-data-reader")
    error = refused(world, credentials={"impersonate": stranger})
    assert error.code is errors.CLOUD_CREDENTIALS_REJECTED
    assert stranger in error.message
    assert "roles/iam.serviceAccountTokenCreator" in error.fix


def test_no_credentials(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    error = refused(world)
    assert error.code is errors.CLOUD_CREDENTIALS_MISSING
    assert "gcloud auth application-default login" in error.fix


def key_file(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **changed: str) -> None:
    path = tmp_path / "other-key.json"
    path.write_text(json.dumps({**world.stand_in.key_file(), **changed}), encoding="utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))


def test_a_key_of_nobody(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key_file(world, monkeypatch, tmp_path, client_email="nobody@demo.iam.gserviceaccount.com")
    assert refused(world).code is errors.CLOUD_CREDENTIALS_REJECTED


def test_a_file_that_is_no_key(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key_file(world, monkeypatch, tmp_path, private_key="-----BEGIN PRIVATE KEY-----")
    assert refused(world).code is errors.CLOUD_CREDENTIALS_MISSING


def test_a_denial_names_who_and_what(world: World) -> None:
    world.stand_in.set_admin_permissions(["storage.*"])
    error = refused(world)
    assert error.code is errors.FORBIDDEN
    assert error.message == f"{email_of('demo-admin')} may not container.clusters.list"


def test_an_api_that_is_off_is_told_with_its_command(world: World) -> None:
    world.stand_in.project.enabled.discard("container")
    error = refused(world)
    assert error.code is gcs_codes.API_DISABLED
    assert error.fix == "gcloud services enable container.googleapis.com --project demo"


def test_a_person_whose_credentials_name_no_project(world: World) -> None:
    told = (
        "Your application is authenticating by using local Application Default Credentials. The "
        "container.googleapis.com API requires a quota project, which is not set by default."
    )
    world.fault(f"{AMONG}.list", status=403, code="SERVICE_DISABLED", message=told)
    error = refused(world)
    assert error.code is errors.CLOUD_CREDENTIALS_REJECTED
    assert error.fix == "gcloud auth application-default set-quota-project demo"


# -- calls ------------------------------------------------------------------------------


def test_every_call_is_told_without_secrets(world: World) -> None:
    access = world.provider.discover(world.spec()).access
    assert access.token is not None
    token = access.token().value
    told = [event for event in world.events if isinstance(event, CallMade)]
    assert [(event.service, event.call, event.status) for event in told] == [
        ("google", "container.clusters.list", "200")
    ]
    text = json.dumps([event.as_json() for event in world.events])
    assert token not in text
    assert world.stand_in.key_file()["private_key"] not in text


@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_that_passes_is_waited_out(world: World, status: int) -> None:
    world.fault(f"{AMONG}.list", status=status, times=2)
    assert world.provider.discover(world.spec())


def test_throttling_is_waited_out(world: World) -> None:
    world.fault(f"{AMONG}.list", FaultKind.THROTTLE, times=2)
    assert world.provider.discover(world.spec())


def test_an_endpoint_that_nobody_serves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINER", "http://127.0.0.1:1/")
    error = refused(world)
    assert error.code is gcs_codes.GCP_UNREACHABLE
    assert "HTTPS_PROXY" in error.fix


def test_a_project_of_an_organizations_own_domain(start: Start) -> None:
    project = "example.com:demo"
    seed = replace(CLUSTER, project_id=project)
    world = start(GoogleSettings(project_id=project, clusters=(seed,)))
    side = world.setup()
    email = side.identity.output.registered
    assert email.endswith("@demo.example.com.iam.gserviceaccount.com")
    assert set(world.changes().values()) == {"none"}
    assert email in world.prove(side)[0]
    spec = world.spec()
    install = world.install(spec, world.provider.discover(spec))
    found = world.elsewhere().search(Scope(account=spec.account), "prod")
    assert found.installs == (install,)
