"""What the provider finds out, and how it fails to."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.nebius import codes
from anyscale_k8s_cli.providers.nebius.discovery import NebiusFacts
from anyscale_k8s_cli.sandbox.nebius.seed import (
    ADMIN,
    CPU_NODES,
    GPU_NODES,
    PROJECT_ID,
    ClusterSeed,
)
from anyscale_k8s_cli.sandbox.nebius.standin import NebiusSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind
from anyscale_k8s_cli.spec import Scope

from .conftest import CA_PEM, ENDPOINT, World

Start = Callable[[NebiusSettings], World]
QUICK = NebiusSettings(operation_polls=0, refused_attempts=0)


def refused(world: World, **more: Any) -> errors.CliError:
    with pytest.raises(errors.CliError) as caught:
        world.provider.discover(world.spec(**more))
    return caught.value


def test_the_cluster_as_nebius_tells_of_it(world: World) -> None:
    cluster = world.provider.discover(world.spec())
    assert cluster.id == f"projects/{PROJECT_ID}/clusters/demo"
    assert (cluster.account, cluster.region) == (PROJECT_ID, "eu-north1")
    assert cluster.version.startswith("1.33")
    assert cluster.access.endpoint == ENDPOINT
    assert cluster.access.ca_pem == CA_PEM.decode()
    assert cluster.access.principal == ADMIN
    facts: NebiusFacts = cluster.facts
    assert facts.id == ClusterSeed().id
    cpu, gpu = sorted(cluster.node_pools, key=lambda pool: pool.name)
    assert (cpu.gpu, cpu.gpu_driver, cpu.gpu_plugin_owner) == (False, "", "")
    assert (gpu.gpu, gpu.gpu_driver, gpu.gpu_plugin_owner) == (True, "Nebius", "Nebius")
    assert gpu.instance_types == ("gpu-h100-sxm-1gpu-16vcpu-200gb",)
    assert gpu.labels["nebius.com/resource-preset"] == "1gpu-16vcpu-200gb"
    assert gpu.taints[0]["effect"] == "NoSchedule"


def test_a_token_of_nebius_opens_the_cluster(world: World) -> None:
    access = world.provider.discover(world.spec()).access
    assert access.token is not None
    token = access.token()
    assert token.expires_at is not None
    user = world.stand_in.nebius.kubernetes_user(token.value, "demo")
    assert user == (world.stand_in.nebius.admin_id, True)


def test_a_cluster_is_also_found_by_its_id(world: World) -> None:
    by_id = world.spec(cluster={"name": ClusterSeed().id})
    assert world.provider.discover(by_id).name == "demo"


def test_a_cluster_that_there_is_not(world: World) -> None:
    problem = refused(world, cluster={"name": "prod"})
    assert problem.code is errors.CLUSTER_NOT_FOUND
    assert "demo" in problem.cause
    assert world.provider.clusters(Scope()) == ["demo"]


def test_another_region_than_the_projects(world: World) -> None:
    problem = refused(world, region="eu-west1")
    assert problem.code is errors.CLUSTER_NOT_FOUND
    assert "eu-north1" in problem.fix


def test_a_cluster_that_does_not_run_yet(start: Start) -> None:
    world = start(replace(QUICK, clusters=(ClusterSeed(reads_while_creating=1),)))
    problem = refused(world)
    assert problem.code is codes.NEBIUS_CLUSTER_NOT_RUNNING
    assert "PROVISIONING" in problem.message
    assert world.provider.discover(world.spec()).name == "demo"


def test_a_private_cluster_that_is_out_of_reach(start: Start) -> None:
    world = start(replace(QUICK, clusters=(ClusterSeed(public_endpoint=False),)))
    problem = refused(world)
    assert problem.code is errors.CLUSTER_UNREACHABLE
    assert problem.details["private"]
    named = world.spec(cluster={"name": "demo", "context": "mine"})
    assert world.provider.discover(named).access.endpoint == problem.details["endpoint"]


def test_gpus_without_drivers_are_told_of(start: Start) -> None:
    bare = replace(GPU_NODES, drivers="")
    world = start(replace(QUICK, clusters=(ClusterSeed(node_groups=(CPU_NODES, bare)),)))
    cluster = world.provider.discover(world.spec())
    pool = next(item for item in cluster.node_pools if item.gpu)
    assert (pool.gpu_driver, pool.gpu_plugin_owner) == ("", "")
    verdicts = {
        item.code: item.run().status for item in world.provider.checks(world.spec(), cluster)
    }
    assert verdicts["nebius-gpu-drivers"] is Status.WARN


def test_gpus_that_must_be_claimed_are_told_of_and_get_no_plugin(start: Start) -> None:
    claimed = replace(GPU_NODES, dra=True)
    world = start(replace(QUICK, clusters=(ClusterSeed(node_groups=(CPU_NODES, claimed)),)))
    cluster = world.provider.discover(world.spec())
    pool = next(item for item in cluster.node_pools if item.gpu)
    assert pool.gpu_plugin_owner == "Nebius"
    verdicts = {
        item.code: item.run().status for item in world.provider.checks(world.spec(), cluster)
    }
    assert verdicts == {
        "nebius-gpu-drivers": Status.PASS,
        "nebius-gpu-claims": Status.WARN,
        "nebius-permissions": Status.PASS,
        "nebius-bucket-quota": Status.PASS,
        "nebius-address-quota": Status.PASS,
    }


# -- credentials -----------------------------------------------------------------


def test_the_profile_of_the_command_line_tells_project_and_credentials(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = tmp_path / "sa.json"
    key.write_text(json.dumps(world.stand_in.nebius.key_file()))
    profile = {
        "parent-id": PROJECT_ID,
        "auth-type": "service account",
        "service-account-credentials-file-path": str(key),
    }
    folder = tmp_path / ".nebius"
    folder.mkdir()
    content = {"default": "work", "profiles": {"work": profile}}
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.delenv("NEBIUS_CREDENTIALS_FILE")
    monkeypatch.delenv("NEBIUS_PROJECT_ID")
    assert world.provider.required == ("cluster.name",)
    assert world.provider.discover(world.spec()).access.principal == ADMIN


def test_an_iam_token_is_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEBIUS_CREDENTIALS_FILE")
    monkeypatch.setenv(
        "NEBIUS_IAM_TOKEN", world.stand_in.nebius.token(world.stand_in.nebius.admin_id)
    )
    assert world.provider.discover(world.spec()).access.principal == ADMIN


def test_no_credentials_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEBIUS_CREDENTIALS_FILE")
    problem = refused(world)
    assert problem.code is errors.CLOUD_CREDENTIALS_MISSING
    assert "NEBIUS_IAM_TOKEN" in problem.fix


def test_a_key_file_that_is_none(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"private": "hunter2"}')
    monkeypatch.setenv("NEBIUS_CREDENTIALS_FILE", str(file))
    problem = refused(world)
    assert problem.code is errors.CLOUD_CREDENTIALS_MISSING
    assert "hunter2" not in repr(problem)


def test_a_token_that_nebius_does_not_know(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEBIUS_IAM_TOKEN", "ne1bogus")
    problem = refused(world)
    assert problem.code is errors.CLOUD_CREDENTIALS_REJECTED
    assert "ne1bogus" not in repr(problem)


def test_a_token_that_has_ended_is_renewed(world: World) -> None:
    world.provider.discover(world.spec())
    world.stand_in.nebius.expire_tokens()
    assert world.provider.discover(world.spec()).name == "demo"


def test_nothing_says_which_project(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEBIUS_PROJECT_ID")
    assert world.provider.required == ("account.project_id", "cluster.name")
    problem = refused(world)
    assert problem.code is errors.MISSING_INPUT
    assert "--project-id" in problem.fix


def test_a_project_that_there_is_not(world: World) -> None:
    problem = refused(world, account={"project_id": "project-e00nowhere"})
    assert problem.code in (errors.FORBIDDEN, errors.ACCOUNT_MISMATCH, errors.CLUSTER_NOT_FOUND)


def test_whoever_has_no_role_is_told_what_is_denied(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    nebius = world.stand_in.nebius
    monkeypatch.setenv("NEBIUS_IAM_TOKEN", nebius.token(nebius.outsider_id))
    problem = refused(world)
    assert problem.code is errors.FORBIDDEN
    assert "may not" in problem.message


def test_an_endpoint_that_would_send_tokens_in_the_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEBIUS_ENDPOINT", "http://api.nebius.example")
    problem = refused(world)
    assert problem.code is errors.INVALID_SPEC


def test_nobody_at_the_endpoint_is_told_in_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("NEBIUS_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert refused(world).code is codes.NEBIUS_UNREACHABLE


@pytest.mark.parametrize("kind", [FaultKind.ERROR, FaultKind.THROTTLE, FaultKind.DROP])
def test_a_passing_fault_passes(world: World, kind: FaultKind) -> None:
    world.fault("nebius.mk8s.v1.ClusterService/List", kind)
    assert world.provider.discover(world.spec()).name == "demo"


def test_a_fault_that_lasts_is_told_with_its_call(world: World) -> None:
    world.fault("nebius.mk8s.v1.ClusterService/List", status=500, times=0)
    problem = refused(world)
    assert problem.code is codes.NEBIUS_FAILED
    assert "mk8s.cluster.list" in "".join(problem.evidence)


def test_calls_are_told_without_secrets(world: World) -> None:
    access = world.provider.discover(world.spec()).access
    assert access.token is not None
    calls = [event for event in world.events if isinstance(event, CallMade)]
    assert {"mk8s.cluster.list", "iam.project.get"} <= {call.call for call in calls}
    assert access.token().value not in repr(world.events)


# -- wording -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"account": {"project_id": "demo"}},
        {"region": "Finland"},
        {"rules": {"names": {"role": "x"}}},
        {"rules": {"names": {"bucket": "Capital"}}},
        {"rules": {"names": {"group": "with space"}}},
        {"rules": {"tags": {"Team": "ml"}}},
        {"rules": {"tags": {f"k{number}": "v" for number in range(60)}}},
        {"existing": {"identity": "somebody"}},
        {"existing": {"bucket": "s3://Capital"}},
        {"network": {"load_balancer_subnets": ["a"]}},
    ],
    ids=lambda said: next(iter(said)),
)
def test_what_nebius_would_refuse_is_refused_offline(world: World, said: dict[str, Any]) -> None:
    def check() -> None:
        with pytest.raises(errors.CliError) as wrong:
            world.provider.check_spec(world.spec(**said))
        assert wrong.value.code is errors.INVALID_SPEC

    assert world.calls(check) == []


def test_an_internal_load_balancer_has_nebius_annotation(world: World) -> None:
    spec = world.spec(network={"expose": "internal", "annotations": {"k": "v"}})
    cluster = world.provider.discover(spec)
    reader: Any = None
    balancer = world.provider.load_balancer(spec, cluster, world.install(spec, cluster), reader)
    assert balancer.annotations == {"nebius.com/load-balancer-type": "internal", "k": "v"}


@pytest.mark.parametrize(("verb", "role"), [("plan", "viewer"), ("setup", "admin")])
def test_the_role_for_a_verb_is_told(world: World, verb: str, role: str) -> None:
    (document,) = world.provider.permissions(Verb(verb))
    assert yaml.safe_load(document.text)["role"] == role
