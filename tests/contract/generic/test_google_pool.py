"""A bucket of Google's that pods reach by a workload identity pool: with no key anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import storage_credentials
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.credential_kinds import GooglePool
from anyscale_k8s_cli.providers.federation import google as federation
from anyscale_k8s_cli.sandbox.google.policies import Grant
from anyscale_k8s_cli.sandbox.google.project import PoolProvider
from anyscale_k8s_cli.sandbox.google.standin import GoogleSettings, GoogleStandIn
from anyscale_k8s_cli.spec import CloudSpec, Scope
from tests.issuer import OPERATOR, Issuer

from .conftest import CLUSTER, SAID, StoreWorld

World = StoreWorld[GoogleStandIn]
Begin = Callable[..., World]
BUCKET = "team-data-demo"
EMAIL = "onprem-ray@demo.iam.gserviceaccount.com"


@pytest.fixture
def world(google: Begin, signing_key: rsa.RSAPrivateKey) -> World:
    issuer = Issuer("https://issuer.example.com", signing_key, "")
    begun = google(GoogleSettings(clusters=(), refused_attempts=0), issuer_keys=issuer.keys)
    begun.issuer = issuer
    project = begun.stand_in.project
    project.providers[provider(begun)] = PoolProvider(issuer.url)
    account = project.accounts.create({"accountId": "onprem-ray"})
    account.policy.grants += [
        Grant("roles/iam.workloadIdentityUser", federation.principal(provider(begun), OPERATOR)),
        Grant("roles/iam.serviceAccountTokenCreator", f"serviceAccount:{EMAIL}"),
    ]
    return begun


def provider(world: World) -> str:
    pool = "locations/global/workloadIdentityPools/onprem"
    return f"projects/{world.stand_in.project.number}/{pool}/providers/lab"


def spec(world: World, **existing: Any) -> CloudSpec:
    given = {"identity_provider": provider(world), "identity": EMAIL, **existing}
    # Here nothing takes time to be known everywhere.
    timeouts = {"identity": 0.01}
    return CloudSpec.model_validate({**SAID, "existing": given, "timeouts": timeouts})


def prove(world: World, side: CloudSide) -> Any:
    assert side.prove_identity is not None
    return side.prove_identity(lambda audience: world.issuer.token(audience=audience))


def let_in(world: World, bucket: str, member: str) -> None:
    """As the bucket's owner would."""
    policy = world.stand_in.buckets.get(bucket).policy
    policy.grants += [
        Grant("roles/storage.objectAdmin", member),
        Grant("roles/storage.legacyBucketReader", member),
    ]


def test_the_account_uses_the_bucket_that_setup_makes(world: World) -> None:
    side = world.setup(spec(world))
    assert side.token_audience == federation.default_audience(provider(world))
    name = side.storage.output.url.removeprefix("gs://")
    with pytest.raises(errors.CliError) as caught:
        prove(world, side)
    assert caught.value.code is errors.BUCKET_DENIED
    member = f"serviceAccount:{EMAIL}"
    assert f'"members": ["{member}"]' in caught.value.fix
    let_in(world, name, member)
    assert f"gs://{name}" in prove(world, side)[1]
    assert set(world.changes(spec(world)).values()) == {"adopt", "none"}


def test_no_key_is_in_the_secret_and_the_token_is_brought(world: World) -> None:
    side = world.setup(spec(world))
    assert side.storage_keys is not None
    access = side.storage_keys.output
    assert isinstance(access, GooglePool)
    manifest = storage_credentials.secret(side.storage.output, access, "ray")
    assert list(manifest["data"]) == ["key.json"]
    assert world.stand_in.key_file()["private_key"][:80] not in access.text
    values = storage_credentials.storage_values(side)
    assert values["global"]["gcp"]["projectId"] == "demo"
    volumes = [step["value"] for step in values["patches"][0]["patch"] if "volumes" in step["path"]]
    token = volumes[0]["projected"]["sources"][0]["serviceAccountToken"]
    assert token["audience"] == side.token_audience


def test_a_teardown_finds_the_bucket_by_the_file_and_who_is_signed_in(world: World) -> None:
    side = world.setup(spec(world))
    assert side.storage_keys is not None
    manifest = storage_credentials.secret(side.storage.output, side.storage_keys.output, "ray")
    install = world.install(spec(world), CLUSTER)
    manifest["metadata"]["annotations"] |= install.locator()
    store = world.provider._store({"storage.kind": "gcs"})
    [found] = store.owned(Scope(), install, manifest)
    assert found.key == side.storage.key


@pytest.mark.parametrize(
    ("existing", "option"),
    [
        ({"identity_provider": "lab", "bucket": f"gs://{BUCKET}"}, "--identity-provider"),
        ({"identity": "me@example.com"}, "--identity"),
        ({"identity": None}, "cannot sign"),
        (
            {
                "identity_provider": None,
                "identity": "ray@demo.iam.gserviceaccount.com",
                "bucket": f"gs://{BUCKET}",
            },
            "--identity-provider",
        ),
    ],
)
def test_what_leads_to_no_pool_is_refused_offline(
    world: World, existing: dict[str, Any], option: str
) -> None:
    with pytest.raises(errors.CliError) as caught:
        world.provider.check_spec(spec(world, **existing))
    assert caught.value.code is errors.INVALID_SPEC
    assert option in str(caught.value)
