"""What the provider finds out, and how it fails to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.provider import ClusterState, Verb
from anyscale_k8s_cli.providers.coreweave import codes
from anyscale_k8s_cli.sandbox.coreweave.seed import ADMIN, ORGANISATION, ClusterSeed
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule
from anyscale_k8s_cli.spec import CloudSpec, Scope
from tests.cloud_sides import remove

from .conftest import Settings, Start, World

PATH = f"organisations/{ORGANISATION}/zones/us-east-04a/clusters/demo"


def refused(world: World, **more: Any) -> errors.CliError:
    spec = world.spec(**more)
    with pytest.raises(errors.CliError) as caught:
        looked_for(world, spec)
    return caught.value


def looked_for(world: World, spec: CloudSpec) -> None:
    world.provider.check_spec(spec)
    world.provider.discover(spec)


def test_the_cluster_as_coreweave_tells_of_it(world: World) -> None:
    cluster = world.provider.discover(world.spec())
    assert cluster.id == PATH
    assert (cluster.account, cluster.region) == (ORGANISATION, "us-east-04a")
    assert cluster.version == "1.34"
    assert cluster.access.endpoint == "https://127.0.0.1:1"
    assert cluster.access.principal == f"coreweave/{ADMIN}"
    assert cluster.access.token is not None
    assert cluster.access.token().value == world.stand_in.organisation.token
    (pool,) = cluster.node_pools
    assert (pool.gpu, pool.gpu_plugin_owner) == (True, "CoreWeave")


@pytest.mark.parametrize(
    "said",
    [
        {"cluster": {"name": "other"}},
        {"region": "us-west-01a"},
    ],
)
def test_a_cluster_that_is_not_there(world: World, said: dict[str, Any]) -> None:
    problem = refused(world, **said)
    assert problem.code is errors.CLUSTER_NOT_FOUND
    assert "demo in us-east-04a" in problem.cause


def test_clusters_of_one_name_are_told_apart_by_their_zone(start: Start) -> None:
    seeds = (ClusterSeed(), ClusterSeed("spare", "US-WEST-01A"))
    world = start(Settings(clusters=seeds))
    assert world.provider.discover(world.spec(region=None)).region == "us-east-04a"
    world.stand_in.coreweave.clusters["spare"] = replace(seeds[1], name="demo")
    assert "us-west-01a" in refused(world, region=None).message
    assert world.provider.discover(world.spec(region="us-west-01a")).region == "us-west-01a"


def test_a_cluster_is_found_by_its_context(world: World, tmp_path: Path) -> None:
    def context(server: str) -> dict[str, Any]:
        file = tmp_path / "config"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "contexts": [{"name": "mine", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        return {"context": "mine", "kubeconfig": str(file)}

    found = world.provider.discover(world.spec(cluster=context("https://127.0.0.1:1/")))
    assert found.name == "demo"
    nowhere = refused(world, cluster={})
    assert nowhere.code is errors.MISSING_INPUT
    assert "demo" in nowhere.cause


def test_a_cluster_that_does_not_run(start: Start) -> None:
    world = start(Settings(clusters=(ClusterSeed(status="STATUS_CREATING"),)))
    problem = refused(world)
    assert problem.code is codes.COREWEAVE_CLUSTER_NOT_RUNNING
    assert "CREATING" in problem.message


def test_a_cluster_without_public_access(start: Start) -> None:
    world = start(Settings(clusters=(ClusterSeed(public=False),)))
    assert refused(world).code is errors.CLUSTER_UNREACHABLE


def test_a_token_that_is_wrong_or_not_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COREWEAVE_API_TOKEN", "CW-SECRET-other")
    assert refused(world).code is errors.CLOUD_CREDENTIALS_REJECTED
    world.provider = world.elsewhere()
    monkeypatch.delenv("COREWEAVE_API_TOKEN")
    assert refused(world).code is errors.CLOUD_CREDENTIALS_MISSING
    questions = world.provider.secrets({}, {})
    assert list(questions) == ["COREWEAVE_API_TOKEN"]


def test_a_token_is_not_sent_unencrypted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COREWEAVE_API_ENDPOINT", "http://api.coreweave.example")
    assert refused(world).code is errors.INVALID_SPEC


def test_coreweave_that_does_not_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("COREWEAVE_API_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        # One attempt is enough to see which failure it is.
        monkeypatch.setattr("anyscale_k8s_cli.providers.coreweave.sdk.session._BUSY_SECONDS", 0)
        assert refused(world).code is codes.COREWEAVE_UNREACHABLE


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, codes.COREWEAVE_THROTTLED), (500, codes.COREWEAVE_FAILED)],
)
def test_reading_is_repeated_and_its_end_told(
    world: World, monkeypatch: pytest.MonkeyPatch, status: int, code: errors.ErrorCode
) -> None:
    rule = FaultRule(FaultKind.ERROR, service="coreweave", status=status, times=1)
    world.wire.inject(rule)
    assert world.provider.discover(world.spec()).name == "demo"
    monkeypatch.setattr("anyscale_k8s_cli.providers.coreweave.sdk.session._BUSY_SECONDS", 0)
    world.wire.inject(replace(rule, times=0))
    assert refused(world).code is code


@pytest.mark.parametrize(
    "said",
    [
        {"region": "somewhere"},
        {"rules": {"names": {"bucket": "cw-data"}}},
        {"rules": {"names": {"bucket": "a.b.c"}}},
        {"rules": {"names": {"group": "x"}}},
        {"rules": {"name_prefix": "vip"}},
        {"rules": {"tags": {"role": "x"}}},
        {"rules": {"tags": {"a": "1", "b": "1", "c": "1", "d": "1"}}},
        {"existing": {"bucket": "s3://int"}},
    ],
)
def test_what_coreweave_would_refuse(world: World, said: dict[str, Any]) -> None:
    assert refused(world, **said).code is errors.INVALID_SPEC


def test_a_name_that_is_too_long_is_hashed(world: World) -> None:
    side = world.cloud_side(world.spec(name="a" * 60))
    assert len(side.storage.output.url.removeprefix("s3://")) <= 63


def test_a_policy_that_denies_is_found(world: World) -> None:
    spec = world.spec()
    cluster = world.provider.discover(spec)
    world.cloud_side(spec)
    check, _ = world.provider.checks(spec, cluster)
    assert check.code == "coreweave-policy-denies"
    assert check.run().status is Status.PASS
    denial = {"name": "no", "effect": "Deny", "actions": ["s3:*"], "principals": ["*"]}
    world.stand_in.organisation.ensure_policy(
        {"version": "v1alpha1", "name": "strict", "statements": [{**denial, "resources": ["*"]}]}
    )
    finding = check.run()
    assert finding.status is Status.FAIL
    assert finding.evidence == ("strict: no",)


def test_what_coreweave_says_of_a_cluster(world: World) -> None:
    spec = world.spec()
    install = world.install(spec, world.provider.discover(spec))
    assert world.provider.cluster_state(install) is ClusterState.PRESENT
    world.stand_in.coreweave.delete_cluster("demo")
    assert world.provider.cluster_state(install) is ClusterState.DELETED


# What any token is good for.
EVERYBODYS = {"auth:whoami", "cwobject:AuthCanI"}


def test_each_verb_asks_for_what_is_printed_and_for_no_more(world: World) -> None:
    def asked(work: Callable[[], Any]) -> set[str]:
        calls = world.calls(work)
        names = {item.operation.name for item in calls if item.operation.service == "coreweave"}
        return names - EVERYBODYS

    def look() -> None:
        another = replace(world)
        another.changes()
        cluster = another.provider.discover(another.spec())
        assert [check.run() for check in another.provider.checks(another.spec(), cluster)]

    def verify() -> None:
        world.elsewhere().search(Scope(), "prod")
        look()

    def delete() -> None:
        install = world.install(world.spec(), world.provider.discover(world.spec()))
        world.elsewhere().search(Scope(), "prod")
        remove(world.elsewhere().find_owned(Scope(), install), bucket=True)

    def printed(verb: Verb) -> set[str]:
        (document,) = world.provider.permissions(verb)
        return set(yaml.safe_load(document.text)["used"])

    planned = asked(look)
    made = asked(world.setup)
    verified = asked(verify)
    deleted = asked(delete)
    assert planned == printed(Verb.PLAN)
    assert verified == printed(Verb.VERIFY)
    assert made <= printed(Verb.SETUP)
    # Only of a key that is replaced.
    assert printed(Verb.SETUP) - made - planned == {"cwobject:RevokeAccessKeyByAccessKey"}
    assert deleted <= printed(Verb.DELETE)
    assert printed(Verb.DELETE) - deleted - verified == set()


def test_the_load_balancer_is_public_unless_it_is_said(world: World) -> None:
    def asked(**network: Any) -> dict[str, str]:
        spec = world.spec(network=network)
        cluster = world.provider.discover(spec)
        reader: Any = None
        return dict(
            world.provider.load_balancer(
                spec, cluster, world.install(spec, cluster), reader
            ).annotations
        )

    kind = "service.beta.kubernetes.io/coreweave-load-balancer-type"
    assert asked() == {kind: "public"}
    assert asked(expose="internal") == {}
