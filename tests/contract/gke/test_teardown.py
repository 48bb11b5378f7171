"""Finding and removing what is ours, with no ledger and no cluster."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.events import StepWaiting
from anyscale_k8s_cli.provider import ClusterState
from anyscale_k8s_cli.providers.gcs import codes as gcs_codes
from anyscale_k8s_cli.providers.gcs.bucket import Bucket
from anyscale_k8s_cli.sandbox.google.seed import AccountSeed, BucketSeed, email_of
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings
from anyscale_k8s_cli.spec import AccountSpec, ClusterSpec, CredentialsSpec, Scope
from tests.cloud_sides import remove

from .conftest import CLUSTER, World, by_hand, patch_bucket
from .test_setup import ACCOUNT, ALL, BUCKET

DEMO = AccountSpec(project_id="demo")
HERE = Scope(account=DEMO)
AUTOMATION = CredentialsSpec(impersonate=email_of("automation"))


def objects_of(world: World, name: str = BUCKET) -> Any:
    return world.stand_in.buckets.get(name).objects


WHERE = (
    Scope(),
    HERE,
    Scope(account=DEMO, region="us-central1"),
    Scope(account=DEMO, cluster=ClusterSpec(name="demo")),
    Scope(account=DEMO, cluster=ClusterSpec(name=CLUSTER.path)),
    Scope(account=DEMO, credentials=AUTOMATION),
)
ELSEWHERE = (
    Scope(account=DEMO, region="europe-west4"),
    Scope(account=DEMO, region="us-central1-f"),
    Scope(account=DEMO, cluster=ClusterSpec(name="other")),
)


def test_an_install_is_found_from_nothing_and_a_scope_narrows(world: World) -> None:
    _, install = world.installed()
    world.installed(world.spec(name="dev"))
    for scope in WHERE:
        found = world.elsewhere().search(scope, "prod")
        assert found.installs == (install,)
        assert len(world.elsewhere().search(scope, None).installs) == 2
        assert found.searched == (
            "service accounts of project demo",
            "Cloud Storage buckets of project demo",
        )
        assert found.unsearched == ()
    for scope in ELSEWHERE:
        assert world.elsewhere().search(scope, None).installs == ()


def test_no_project_to_search(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.stand_in.key_file()
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    # A key file names its account's own project.
    assert path["project_id"] == "demo"
    assert world.elsewhere().search(Scope(), None).installs == ()
    # In it the clusters are listed and, one by one, asked.
    assert "demo" in world.elsewhere().clusters(Scope(region="us-central1"))
    assert world.elsewhere().completed(Scope()).account == DEMO


def test_nothing_tells_which_project(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    key = Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    told = json.loads(key.read_text())
    key.write_text(json.dumps({**told, "project_id": ""}))
    for ask in (
        lambda: world.elsewhere().completed(Scope()),
        lambda: world.elsewhere().clusters(Scope()),
    ):
        with pytest.raises(errors.CliError) as caught:
            ask()
        assert caught.value.code is errors.MISSING_INPUT
        assert "--project-id" in caught.value.fix


@pytest.mark.parametrize("cloud", ["prod", "Team_A-PROD", "x" * 63])
@pytest.mark.parametrize("left", ["bucket", "account"])
def test_one_object_tells_all_of_an_install(world: World, cloud: str, left: str) -> None:
    side, install = world.installed(world.spec(name=cloud))
    if left == "bucket":
        remove(world.elsewhere().find_owned(HERE, install), bucket=False)
    else:
        side.storage.delete(side.storage.observed)  # type: ignore[arg-type]
    assert world.elsewhere().search(HERE, cloud).installs == (install,)


def test_a_search_takes_two_calls(start: Callable[[GoogleSettings], World]) -> None:
    """However many buckets and accounts of others there are."""
    buckets = [BucketSeed(f"bucket-{n}", labels={"team": "ml"}) for n in range(60)]
    accounts = [AccountSeed(f"account-{n}") for n in range(60)]
    world = start(GoogleSettings(buckets=buckets, accounts=accounts, most_accounts=1000))
    world.installed()
    calls = world.calls(lambda: world.elsewhere().search(HERE, "prod"))
    asked = [call.operation.name for call in calls if call.operation.service != "oauth2"]
    assert asked == ["iam.projects.serviceAccounts.list", "storage.buckets.list"]


def test_many_accounts_come_page_by_page(start: Callable[[GoogleSettings], World]) -> None:
    accounts = [AccountSeed(f"account-{n}") for n in range(230)]
    world = start(GoogleSettings(accounts=accounts, most_accounts=1000))
    spec = world.spec(rules={"names": {"service-account": "acme-operator"}})
    _, install = world.installed(spec)
    found = world.elsewhere().find_owned(HERE, install)
    assert "gcp:service-account/acme-operator" in {item.key for item in found}


def test_where_one_may_not_look_is_told(world: World) -> None:
    world.installed()
    world.stand_in.set_admin_permissions(["storage.*"])
    found = world.elsewhere().search(HERE, "prod")
    assert len(found.installs) == 1
    assert "may not iam.serviceAccounts.list" in found.unsearched[0]
    assert found.searched == ("Cloud Storage buckets of project demo",)


def test_an_answer_that_never_comes_is_no_empty_one(world: World) -> None:
    world.installed()
    world.fault("storage.buckets.list", status=400, code="INVALID_ARGUMENT", times=0)
    with pytest.raises(errors.CliError) as caught:
        world.elsewhere().search(HERE, "prod")
    assert caught.value.code is gcs_codes.GCP_FAILED


def test_what_somebody_copied_or_edited_is_no_locator(world: World) -> None:
    world.installed()
    labels = world.snapshot()["buckets"][BUCKET]["labels"]
    patch_bucket(world, "team-data-demo", {"labels": {**labels, "anyscale-k8s-cloud": "other"}})
    assert len(world.elsewhere().search(HERE, None).installs) == 1
    assert world.elsewhere().search(HERE, "other").installs == ()


# -- removing -------------------------------------------------------------------------


def test_everything_of_ours_goes_and_nothing_else(world: World) -> None:
    before = world.snapshot()
    side, install = world.installed()
    owned = world.elsewhere().find_owned(HERE, install)
    assert {item.kind for item in owned} == ALL
    assert {item.key for item in owned} == {item.key for item in side.resources}
    remove(owned, bucket=True)
    assert world.snapshot() == before
    assert world.elsewhere().find_owned(HERE, install) == []


def test_a_kept_bucket_names_nobody_of_ours(world: World) -> None:
    _, install = world.installed()
    remove(world.elsewhere().find_owned(HERE, install), bucket=False)
    assert ACCOUNT not in str(world.snapshot()["buckets"][BUCKET]["policy"])


def test_roles_of_an_account_that_is_gone_already(world: World) -> None:
    side, install = world.installed()
    account = next(item for item in side.resources if item.kind == "service-account")
    account.delete(account.observed)  # type: ignore[arg-type]
    owned = world.elsewhere().find_owned(HERE, install)
    assert {item.kind for item in owned} == {"gcs-bucket", "gcs-bucket-access"}
    remove(owned, bucket=False)
    assert ACCOUNT not in str(world.snapshot()["buckets"][BUCKET]["policy"])


def test_what_has_other_names_is_found_by_its_locators(world: World) -> None:
    names = {"bucket": "acme-data", "service-account": "acme-operator"}
    rules = {"names": names, "name_prefix": "a-prefix-of-twenty-c"}
    side, install = world.installed(world.spec(rules=rules))
    owned = world.elsewhere().find_owned(HERE, install)
    assert {item.key for item in owned} == {item.key for item in side.resources}
    remove(owned, bucket=False)
    # With so long a prefix there is no usual name to look for what is left of the account.
    left = world.elsewhere().find_owned(HERE, install)
    assert {item.key for item in left} == {"gcp:bucket/acme-data"}


def test_the_other_installs_objects_stay(world: World) -> None:
    world.installed(world.spec(name="dev"))
    before = world.snapshot()
    _, install = world.installed()
    remove(world.elsewhere().find_owned(HERE, install), bucket=True)
    assert world.snapshot() == before


# -- the bucket ---------------------------------------------------------------------


def fill(world: World, versions: int) -> None:
    for _ in range(versions):
        objects_of(world).put(
            "again", b"xx", "text/plain", CLOCK, versioned=True, soft_delete=False
        )


CLOCK = GoogleSettings().clock()


def test_a_full_bucket_is_counted_and_emptied(world: World) -> None:
    """A page that fails is asked for again, and is not taken for the end."""
    side, _ = world.installed()
    bucket = side.storage
    assert isinstance(bucket, Bucket)
    fill(world, 1010)
    observed = bucket.read()
    assert observed is not None
    assert bucket.contents(observed) == "1,010 object versions, 2.0 KiB"
    world.fault("storage.objects.list", nth=2, status=503)
    bucket.delete(observed)
    assert BUCKET not in world.snapshot()["buckets"]
    told = [event.detail for event in world.events if isinstance(event, StepWaiting)]
    assert told.index("1000 versions removed") < told.index("1010 versions removed")


def test_what_comes_into_a_bucket_while_it_is_emptied(world: World) -> None:
    side, _ = world.installed()
    world.fault("storage.buckets.delete", status=409, code="ALREADY_EXISTS")
    side.storage.delete(side.storage.observed)  # type: ignore[arg-type]
    assert BUCKET not in world.snapshot()["buckets"]


def test_a_kept_bucket_forgets_the_cluster(world: World) -> None:
    side, install = world.installed()
    bucket = side.storage
    assert isinstance(bucket, Bucket)
    observed = bucket.read()
    assert observed is not None
    assert observed.owner == install
    told = "At least one of the pre-conditions you specified did not hold."
    world.fault("storage.buckets.patch", status=412, code="CONDITION_NOT_MET", message=told)
    bucket.forget_cluster(observed)
    observed = bucket.read()
    assert observed is not None
    assert observed.owner == install.forgetting_cluster()
    assert world.writes(lambda: bucket.forget_cluster(observed)) == []


# -- the cluster --------------------------------------------------------------------


def test_what_the_cloud_says_of_the_cluster(world: World) -> None:
    _, install = world.installed()
    assert world.elsewhere().cluster_state(install) is ClusterState.PRESENT
    world.stand_in.clusters.named("demo").status = "STOPPING"
    assert world.elsewhere().cluster_state(install) is ClusterState.DELETED
    world.stand_in.delete_cluster("demo")
    assert world.elsewhere().cluster_state(install) is ClusterState.DELETED
    world.stand_in.set_admin_permissions(["storage.*"])
    assert world.elsewhere().cluster_state(install) is ClusterState.UNKNOWN


@pytest.mark.parametrize("cluster", ["demo", "zonal"])
def test_the_install_leads_to_its_cluster(world: World, cluster: str) -> None:
    credentials = AUTOMATION.model_dump()
    asked = world.spec(cluster={"name": cluster}, credentials=credentials)
    install = world.install(asked, world.provider.discover(asked))
    spec = world.provider.locate(install)
    assert spec.credentials == AUTOMATION
    # A search takes the same place.
    assert install.is_in(spec.region)
    world.setup(asked)
    there = Scope(region=spec.region, cluster=spec.cluster, account=spec.account)
    assert [item.id for item in world.elsewhere().search(there, None).installs] == [install.id]
    assert world.install(spec, world.elsewhere().discover(spec)) == install


def balanced(world: World, **network: Any) -> tuple[Any, str]:
    """An install with a load balancer; returns its address."""
    spec = world.spec(network=network)
    _, install = world.installed(spec)
    cluster = world.provider.discover(spec)
    asked = world.provider.load_balancer(spec, cluster, install, None)  # type: ignore[arg-type]
    uid = "0a1b2c3d-0000-1111-2222-333344445555"
    metadata = {"namespace": "ns", "name": "gw", "uid": uid, "annotations": asked.annotations}
    service = {"metadata": metadata, "spec": {"type": "LoadBalancer", "ports": [{"port": 443}]}}
    made = asyncio.run(world.stand_in.load_balancers("demo").ensure(service))
    assert made is not None
    return install, made[0]["ip"]


@pytest.mark.parametrize(
    ("network", "scheme"),
    [
        ({}, "EXTERNAL"),
        ({"expose": "internal"}, "INTERNAL"),
        ({"expose": "internal", "load_balancer_subnets": ["private"]}, "INTERNAL"),
    ],
)
def test_a_load_balancer_that_is_left_is_seen(
    world: World, network: dict[str, Any], scheme: str
) -> None:
    install, address = balanced(world, **network)
    (rule,) = world.snapshot()["forwarding_rules"].values()
    assert rule["scheme"] == scheme
    provider = world.elsewhere()
    assert len(provider.load_balancer_left(install, [address, "203.0.113.9"])) == 1
    assert provider.load_balancer_left(install, ["203.0.113.9"]) == ()
    assert world.calls(lambda: provider.load_balancer_left(install, [])) == []


@pytest.mark.parametrize(("expose", "other"), [("public", "internal"), ("internal", "public")])
def test_a_load_balancer_that_is_not_as_asked_is_told(
    world: World, expose: str, other: str
) -> None:
    install, address = balanced(world, expose=expose)
    told = []
    for wanted in (expose, other):
        spec = world.spec(network={"expose": wanted})
        cluster = world.provider.discover(spec)
        asked = world.provider.load_balancer(spec, cluster, install, None)  # type: ignore[arg-type]
        assert asked.unlike is not None
        assert asked.unlike("203.0.113.9") == ""
        told.append(asked.unlike(address))
    assert told == ["", f"is {expose}, and is to be {other}"]


def test_the_subnet_of_an_internal_load_balancer(world: World) -> None:
    spec = world.spec(network={"expose": "internal", "load_balancer_subnets": ["private"]})
    cluster = world.provider.discover(spec)
    install = world.install(spec, cluster)
    asked = world.provider.load_balancer(spec, cluster, install, None)  # type: ignore[arg-type]
    assert asked.annotations["networking.gke.io/internal-load-balancer-subnet"] == "private"


def test_a_bucket_in_the_way_is_not_emptied(world: World) -> None:
    """One that holds an object of a user which cannot be removed is told, and stays."""
    side, _ = world.installed()
    fill(world, 1)
    world.fault("storage.objects.delete", status=403, code="PERMISSION_DENIED", times=0)
    with pytest.raises(errors.CliError) as caught:
        side.storage.delete(side.storage.observed)  # type: ignore[arg-type]
    assert caught.value.code is errors.FORBIDDEN
    assert BUCKET in world.snapshot()["buckets"]


def test_an_account_that_is_gone_is_no_failure(world: World) -> None:
    side, _ = world.installed()
    by_hand(world, "iam", "DELETE", f"/v1/projects/demo/serviceAccounts/{ACCOUNT}")
    account = next(item for item in side.resources if item.kind == "service-account")
    account.delete(account.observed)  # type: ignore[arg-type]
