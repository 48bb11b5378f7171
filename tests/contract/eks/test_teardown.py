"""Finding and removing what is ours, with no ledger and no cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Cluster, ClusterState, LoadBalancer
from anyscale_k8s_cli.providers.eks.bucket import Bucket
from anyscale_k8s_cli.providers.eks.oidc import OidcProvider
from anyscale_k8s_cli.sandbox.aws.seed import LoadBalancerController
from anyscale_k8s_cli.sandbox.aws.standin import AwsSettings
from anyscale_k8s_cli.spec import AccountSpec, CloudSpec, ClusterSpec, Scope
from tests.cloud_sides import loop, remove

from .conftest import CLUSTER, World, client

HERE = Scope(region="us-west-2")


def test_an_install_is_found_from_nothing_and_a_scope_narrows(world: World) -> None:
    _, install = world.installed()
    world.installed(world.spec(name="dev"))
    elsewhere = world.elsewhere()
    for scope in (Scope(), HERE, Scope(cluster=ClusterSpec(name="demo"))):
        found = elsewhere.search(scope, "prod")
        assert found.installs == (install,)
        assert len(elsewhere.search(scope, None).installs) == 2
        assert any("IAM roles" in line for line in found.searched)
    for scope in (Scope(region="eu-west-1"), Scope(cluster=ClusterSpec(name="other"))):
        assert elsewhere.search(scope, None).installs == ()


def test_another_account_is_not_searched(world: World) -> None:
    with pytest.raises(errors.CliError) as caught:
        world.elsewhere().search(Scope(account=AccountSpec(id="111111111111")), None)
    assert caught.value.code is errors.ACCOUNT_MISMATCH


def test_a_kept_bucket_alone_is_found(world: World) -> None:
    _, install = world.installed()
    elsewhere = world.elsewhere()
    remove(list(elsewhere.find_owned(HERE, install)), bucket=False)
    for scope in (Scope(), HERE):
        found = elsewhere.search(scope, "prod").installs
        assert [item.id for item in found] == [install.id]


def test_a_role_of_the_companys_path_alone_is_found(world: World) -> None:
    rules = {"names": {"role": "acme-operator"}, "role_path": "/acme/"}
    side = world.setup(world.spec(rules=rules))
    observed = side.storage.read()
    assert observed is not None
    side.storage.delete(observed)
    assert len(world.elsewhere().search(HERE, "prod").installs) == 1


def test_where_one_may_not_look_is_told(world: World) -> None:
    world.installed()
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    denied = {"Effect": "Deny", "Action": "iam:ListRoles", "Resource": "*"}
    world.stand_in.set_admin_policies([{"Version": "2012-10-17", "Statement": [allowed, denied]}])
    found = world.elsewhere().search(HERE, "prod")
    assert len(found.installs) == 1
    assert "iam:ListRoles" in found.unsearched[0]


def test_everything_of_ours_goes_and_nothing_else(world: World) -> None:
    before = world.snapshot()
    side, install = world.installed()
    elsewhere = world.elsewhere()
    owned = list(elsewhere.find_owned(HERE, install))
    assert {item.kind for item in owned} == {"s3-bucket", "iam-role", "iam-oidc-provider"}
    assert {item.key for item in owned} == {item.key for item in side.resources}
    remove(owned, bucket=True)
    assert world.snapshot() == before
    assert elsewhere.find_owned(HERE, install) == []


@pytest.mark.parametrize("rules", [{}, {"role_path": "/acme/"}], ids=["path", "no path"])
def test_what_has_other_names_is_found_by_its_tags(world: World, rules: dict[str, Any]) -> None:
    names = {"bucket": "acme-data", "role": "acme-operator"}
    spec = world.spec(rules={"names": names, **rules})
    world.setup(spec)
    install = world.install(spec, world.provider.discover(spec))
    keys = {item.key for item in world.elsewhere().find_owned(HERE, install)}
    assert {"aws:s3-bucket/acme-data", "aws:iam-role/acme-operator"} <= keys


def test_the_other_installs_objects_stay(world: World) -> None:
    world.installed(world.spec(name="dev"))
    before = world.snapshot()
    _, install = world.installed()
    remove(list(world.elsewhere().find_owned(HERE, install)), bucket=True)
    assert world.snapshot() == before


def test_a_provider_that_others_trust_is_not_for_us_to_remove(world: World) -> None:
    _, install = world.installed()
    owned = list(world.elsewhere().find_owned(HERE, install))
    provider = next(item for item in owned if isinstance(item, OidcProvider))
    observed = provider.read()
    assert observed is not None
    assert not provider.others(observed)
    trust = client("iam").get_role(RoleName=install.name(limit=64, suffix="-operator"))
    client("iam").create_role(
        RoleName="neighbour",
        AssumeRolePolicyDocument=json.dumps(trust["Role"]["AssumeRolePolicyDocument"]),
    )
    assert "neighbour" in str(provider.others(observed))


# -- the bucket ---------------------------------------------------------------------


def test_a_full_bucket_is_counted_and_emptied(world: World) -> None:
    side, _ = world.installed()
    bucket = side.storage
    assert isinstance(bucket, Bucket)
    s3 = client("s3")
    for number in range(3):
        s3.put_object(Bucket=bucket.name, Key="again", Body=b"x" * number)
    s3.delete_object(Bucket=bucket.name, Key="again")
    s3.create_multipart_upload(Bucket=bucket.name, Key="unfinished")
    observed = bucket.read()
    assert observed is not None
    assert bucket.contents(observed) == "3 object versions, 3 Bytes"
    bucket.delete(observed)
    assert bucket.name not in world.snapshot()["buckets"]
    told = [event.as_json().get("detail", "") for event in world.events]
    assert "4 versions removed" in told
    assert "4 versions removed, 1 uploads aborted" in told


def test_a_kept_bucket_forgets_the_cluster(world: World) -> None:
    side, install = world.installed()
    bucket = side.storage
    assert isinstance(bucket, Bucket)
    observed = bucket.read()
    assert observed is not None
    assert observed.owner == install
    bucket.forget_cluster(observed)
    observed = bucket.read()
    assert observed is not None
    assert observed.owner == install.forgetting_cluster()
    writes = [c for c in world.calls(lambda: bucket.forget_cluster(observed)) if c.operation.write]
    assert writes == []


# -- the cluster --------------------------------------------------------------------


def test_what_the_cloud_says_of_the_cluster(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, install = world.installed()
    assert world.elsewhere().cluster_state(install) is ClusterState.PRESENT
    world.stand_in.delete_cluster("demo")
    assert world.elsewhere().cluster_state(install) is ClusterState.DELETED
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert world.elsewhere().cluster_state(install) is ClusterState.UNKNOWN


def test_the_install_leads_to_its_cluster(world: World) -> None:
    _, install = world.installed()
    spec = world.elsewhere().locate(install)
    cluster = world.elsewhere().discover(spec)
    assert world.install(spec, cluster) == install


def service(annotations: dict[str, str], load_balancer_class: str | None) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "gateway",
            "namespace": "anyscale-operator",
            "uid": "u-1",
            "annotations": annotations,
        },
        "spec": {"type": "LoadBalancer", "loadBalancerClass": load_balancer_class},
    }


class Reader:
    """A cluster with or without the AWS Load Balancer Controller."""

    def __init__(self, *, controller: bool) -> None:
        self.controller = controller

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> dict[str, Any] | None:
        metadata = {"name": name, "namespace": namespace}
        return {"kind": kind, "metadata": metadata} if self.controller else None

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
    ) -> list[dict[str, Any]]:
        return []


def asked_for(world: World, spec: CloudSpec, cluster: Cluster, install: Install) -> LoadBalancer:
    """What the provider asks for in words that this cluster's controller knows."""
    serves = world.settings.clusters[0].load_balancer_controller
    reader = Reader(controller=serves is LoadBalancerController.AWS_LOAD_BALANCER_CONTROLLER)
    return world.provider.load_balancer(spec, cluster, install, reader)


def balanced(world: World, **more: Any) -> tuple[Install, str]:
    """An install with a load balancer; returns its address."""
    spec = world.spec(**more)
    world.setup(spec)
    cluster = world.provider.discover(spec)
    install = world.install(spec, cluster)
    asked = asked_for(world, spec, cluster, install)
    made = loop().run_until_complete(
        world.stand_in.load_balancers("demo").ensure(
            service(dict(asked.annotations), asked.load_balancer_class)
        )
    )
    assert made is not None, f"nobody serves {asked}"
    return install, made[0]["hostname"]


CONTROLLERS = ["aws-load-balancer-controller", "auto-mode", "in-tree"]


@pytest.fixture(params=CONTROLLERS)
def balancing(request: pytest.FixtureRequest, start: Callable[[AwsSettings], World]) -> World:
    seed = replace(
        CLUSTER,
        load_balancer_controller=LoadBalancerController(request.param),
        auto_mode=request.param == "auto-mode",
    )
    return start(AwsSettings(clusters=(seed,), removal_seconds=0.0))


def test_whoever_serves_the_cluster_makes_the_load_balancer(balancing: World) -> None:
    """One that is there cannot change: who asks for another scheme must wait for another."""
    install, address = balanced(balancing, rules={"tags": {"team": "ml"}})
    (found,) = balancing.snapshot()["load_balancers"].values()
    assert found["scheme"] == "internet-facing"
    assert found["tags"]["team"] == "ml"
    assert found["tags"]["anyscale-k8s/install"] == install.id

    def unlike(expose: str) -> str:
        spec = balancing.spec(network={"expose": expose})
        asked = asked_for(balancing, spec, balancing.provider.discover(spec), install)
        assert asked.unlike is not None
        return asked.unlike(address)

    assert unlike("public") == ""
    assert unlike("internal") == "is internet-facing, and is to be internal"
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    denied = {"Effect": "Deny", "Action": "elasticloadbalancing:Describe*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [allowed, denied]}
    balancing.stand_in.set_admin_policies([policy])
    assert unlike("internal") == ""


def test_an_install_is_known_by_its_load_balancer_alone(balancing: World) -> None:
    """Where bucket and role are their user's own, nothing else in the account tells of it."""
    install, address = balanced(balancing, network={"expose": "internal"})
    (made,) = balancing.snapshot()["load_balancers"].values()
    assert made["scheme"] == "internal"
    elsewhere = balancing.elsewhere()
    left = elsewhere.load_balancer_left(install, [address, "other.example"])
    assert len(left) == 1
    assert elsewhere.load_balancer_left(install, []) == ()
    assert elsewhere.load_balancer_left(install, ["other.example"]) == ()

    owned = elsewhere.find_owned(HERE, install)
    assert "load-balancer" not in {item.kind for item in owned}
    remove(owned, bucket=True)
    assert elsewhere.search(HERE, "prod").installs == (install,)
    assert any("give --region" in line for line in elsewhere.search(Scope(), "prod").unsearched)

    # That of a deleted cluster is ours to remove.
    balancing.stand_in.delete_cluster("demo")
    (balancer,) = elsewhere.find_owned(HERE, install)
    assert balancer.kind == "load-balancer"
    remove([balancer], bucket=False)
    assert elsewhere.load_balancer_left(install, [address]) == ()
