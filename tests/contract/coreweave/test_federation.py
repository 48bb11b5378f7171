"""Pods that prove themselves to CoreWeave: no key is made, and none is left from before."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import storage_credentials
from anyscale_k8s_cli.addons.credential_mounts import mount_of
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.credential_kinds import S3Exchange
from anyscale_k8s_cli.providers.coreweave import federation
from anyscale_k8s_cli.providers.federation import codes
from anyscale_k8s_cli.sandbox.coreweave.federation import AUDIENCE
from anyscale_k8s_cli.sandbox.coreweave.seed import ADMIN, ORGANISATION, ClusterSeed
from anyscale_k8s_cli.spec import ClusterSpec, Scope
from anyscale_k8s_cli.storage_token import PATH
from tests.cloud_sides import KeptKeys, remove
from tests.issuer import OPERATOR

from .conftest import Settings, Start, World

# Here nothing takes time to be known everywhere.
WITHOUT_KEYS = {"existing": {"storage_keys": "federation"}, "timeouts": {"identity": 0.01}}
ROLE = f"role/{ClusterSeed().issuer}:{OPERATOR}"


def setup(world: World) -> CloudSide:
    return world.setup(world.spec(**WITHOUT_KEYS))


def statements(world: World) -> dict[str, Any]:
    (policy,) = world.snapshot()["access_policies"].values()
    return {item["name"].rpartition("-")[2]: item for item in policy["statements"]}


def refused(world: World, side: CloudSide, **token: Any) -> errors.CliError:
    with pytest.raises(errors.CliError) as caught:
        world.prove(side, lambda audience: world.issuer.token(**{"audience": audience, **token}))
    assert caught.value.code is codes.FEDERATION_REFUSED
    return caught.value


def test_the_policy_names_the_clusters_issuer_and_its_pods(world: World) -> None:
    side = setup(world)
    found = statements(world)
    assert found["exchange"]["actions"] == ["cwobject:CreateAccessKeyFromOIDC"]
    assert found["exchange"]["principals"] == found["pods"]["principals"] == [ROLE]
    (bucket,) = world.snapshot()["objects"]["buckets"]
    assert found["pods"]["resources"] == [bucket, f"{bucket}/*"]
    assert "s3:*" not in found["pods"]["actions"]
    assert world.snapshot()["access_keys"] == {}
    assert side.token_audience == AUDIENCE
    assert side.storage_keys is not None
    assert side.storage_keys.output.url.endswith(f"/temporary-credentials/oidc/{ORGANISATION}")


def test_what_the_policy_admits_exchanges_its_token_and_uses_the_bucket(world: World) -> None:
    lines = world.prove(setup(world))
    assert lines[0] == f"proven: {OPERATOR} is admitted as {ROLE}"
    assert "can put, get, list and delete in s3://" in lines[1]


def test_a_second_setup_only_reads(world: World) -> None:
    setup(world)
    assert set(world.changes(world.spec(**WITHOUT_KEYS)).values()) == {"none"}
    assert world.writes(lambda: setup(world)) == []


def test_that_nobody_believes_the_issuer_is_told_with_what_to_enter(start: Start) -> None:
    world = start(Settings(federated=False))
    problem = refused(world, setup(world))
    assert "Workload Federation" in problem.fix
    assert f"the issuer URL {world.issuer.url}" in problem.fix
    assert AUDIENCE in problem.fix
    assert f"the access policy names {ROLE}" in problem.evidence


@pytest.mark.parametrize(
    "token",
    [
        {"audience": "sts.amazonaws.com"},
        {"lifetime": timedelta(minutes=-1)},
    ],
)
def test_a_token_that_is_not_good_gives_no_keys(world: World, token: dict[str, Any]) -> None:
    refused(world, setup(world), **token)
    given = {key.principal for key in world.stand_in.organisation.exchanged.values()}
    assert ROLE not in given


def test_a_token_of_another_issuer_or_account_is_not_the_one_that_the_policy_names(
    world: World,
) -> None:
    side = setup(world)
    for token in ({"issuer": "https://elsewhere"}, {"subject": f"{OPERATOR}-2"}):
        problem = refused(world, side, **token)
        assert "which the access policy does not name" in problem.cause


def test_a_denial_of_the_exchange_is_found_and_told(world: World) -> None:
    side = setup(world)
    denial = {"name": "no", "effect": "Deny", "actions": ["cwobject:*"], "resources": ["*"]}
    world.stand_in.organisation.ensure_policy(
        {
            "version": "v1alpha1",
            "name": "strict",
            "statements": [{**denial, "principals": ["role/*"]}],
        }
    )
    assert "denies cwobject:CreateAccessKeyFromOIDC" in refused(world, side).fix
    spec = world.spec(**WITHOUT_KEYS)
    checks = world.provider.checks(spec, world.provider.discover(spec))
    (denies,) = [item for item in checks if item.check.code == "coreweave-policy-denies"]
    assert denies.run().evidence == ("strict: no",)


def test_rights_that_were_taken_from_the_pods_are_told_and_mended(world: World) -> None:
    side = setup(world)
    statement = statements(world)["pods"]
    statement["actions"].remove("s3:DeleteObject")
    with pytest.raises(errors.CliError) as caught:
        world.prove(side)
    assert caught.value.code is errors.BUCKET_DENIED
    assert "may not delete" in caught.value.message
    assert "pods actions" in world.reasons(world.spec(**WITHOUT_KEYS))["coreweave-access-policy"]
    world.prove(setup(world))


def test_keys_of_an_exchange_need_their_token_and_end(world: World) -> None:
    organisation = world.stand_in.organisation
    setup(world)
    name = world.snapshot()["objects"]["buckets"].popitem()[0]
    provider: Any = world.provider
    coreweave = provider._coreweave
    keys = coreweave.session_keys()
    assert coreweave.session_keys() == keys
    with pytest.raises(errors.CloudFailure) as caught:
        coreweave.s3("us-east-04a", lambda: type(keys)(keys.access_key, keys.secret)).exists(name)
    assert caught.value.api_code == "InvalidToken"
    organisation.expire_all()
    with pytest.raises(errors.CloudFailure):
        coreweave.s3("us-east-04a", lambda: keys).exists(name)


def test_from_keys_to_none_and_back_nothing_is_left(world: World) -> None:
    cluster, organisation = KeptKeys(), world.stand_in.organisation
    cluster.setup(world)
    (before,) = world.snapshot()["access_policies"].values()
    (old,) = organisation.keys
    side = setup(world)
    # The operator has it until it works without.
    assert list(organisation.keys) == [old]
    assert side.storage_keys is not None
    side.storage_keys.retire()
    assert not organisation.keys
    assert set(world.changes(world.spec(**WITHOUT_KEYS)).values()) == {"none"}
    # The Secret holds no key any more.
    cluster.keys = None
    cluster.setup(world)
    (after,) = world.snapshot()["access_policies"].values()
    assert after == before
    assert len(organisation.keys) == 1
    assert old not in organisation.keys


def test_a_run_that_died_before_the_key_ended_is_gone_on_with(world: World) -> None:
    KeptKeys().setup(world)
    setup(world)
    (key,) = world.stand_in.organisation.keys
    assert key in world.reasons(world.spec(**WITHOUT_KEYS))[federation.TokenExchange.kind]
    again = setup(world)
    assert again.storage_keys is not None
    again.storage_keys.retire()
    assert not world.stand_in.organisation.keys


def test_an_install_without_keys_is_found_from_nothing_and_removed(world: World) -> None:
    before = world.snapshot()
    spec = world.spec(**WITHOUT_KEYS, name="Prod-two")
    _, install = world.installed(spec)
    provider = world.elsewhere()
    for scope in (Scope(), Scope(region="us-east-04a"), Scope(cluster=ClusterSpec(name="demo"))):
        (found,) = provider.search(scope, "Prod-two").installs
        assert (found.id, found.cloud, found.name_prefix) == (install.id, "Prod-two", "anyscale")
    assert provider.search(Scope(), "prod").installs == ()
    remove(world.elsewhere().find_owned(Scope(), install), bucket=True)
    assert world.snapshot() == before


def test_an_install_is_found_without_its_clouds_name(world: World) -> None:
    _, install = world.installed(world.spec(**WITHOUT_KEYS, name="prod-two"))
    (found,) = world.elsewhere().search(Scope(), None).installs
    assert (found.id, found.cloud) == (install.id, "prod-two")


def test_a_cluster_without_an_issuer_is_refused(world: World) -> None:
    spec = world.spec(**WITHOUT_KEYS)
    cluster = world.provider.discover(spec)
    install = world.install(spec, cluster)
    with pytest.raises(errors.CliError) as caught:
        world.provider.cloud_side(spec, replace(cluster, facts=""), install, world.anyscale)
    assert caught.value.code is errors.INVALID_SPEC


def test_somebody_else_who_sets_up_is_added_and_the_pods_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup(world)
    world.stand_in.organisation.tokens["CW-SECRET-colleague"] = "colleague"
    monkeypatch.setenv("COREWEAVE_API_TOKEN", "CW-SECRET-colleague")
    world.provider = world.elsewhere()
    world.prove(setup(world))
    own = next(item for name, item in statements(world).items() if name not in ("exchange", "pods"))
    assert own["principals"] == ["coreweave/colleague", f"coreweave/{ADMIN}"]
    assert statements(world)["pods"]["principals"] == [ROLE]


def test_the_sdk_of_a_pod_uses_the_bucket_with_what_its_pods_are_given(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    side = setup(world)
    assert side.storage_keys is not None
    manifest = storage_credentials.secret(side.storage.output, side.storage_keys.output, "ray")
    for name, text in manifest["data"].items():
        (tmp_path / name).write_bytes(base64.b64decode(text))
    share = mount_of(side.storage_keys.credentials).share()
    for variable in share.variables:
        name, source = variable["name"], variable.get("valueFrom")
        if source:
            given = (tmp_path / source["secretKeyRef"]["key"]).read_text()
        else:
            given = variable["value"].replace("/tmp/.aws", str(tmp_path))
        monkeypatch.setenv(name, given)
    assert os.environ[S3Exchange.TOKEN] == PATH
    token = tmp_path / "token"
    token.write_text(world.token(side.token_audience))
    monkeypatch.setenv(S3Exchange.TOKEN, str(token))
    s3 = boto3.session.Session().client("s3")
    bucket = side.storage.output.url.removeprefix("s3://")
    s3.put_object(Bucket=bucket, Key="from/a/pod", Body=b"1")
    assert s3.get_object(Bucket=bucket, Key="from/a/pod")["Body"].read() == b"1"
