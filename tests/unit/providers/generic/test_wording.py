"""What a person says of a cluster without a cloud, refused offline where it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.generic import s3_wording as wording
from anyscale_k8s_cli.providers.generic.provider import GenericProvider
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import Addressing, Checksums, CloudSpec, NetworkSpec, StorageSpec

ENDPOINT = "https://s3.example.com:9000"


def check(given: CloudSpec) -> None:
    """As the provider asks, before anything else."""
    GenericProvider(Run()).check_spec(given)


def spec(region: str = "onprem", bucket: str | None = None, **storage: Any) -> CloudSpec:
    return CloudSpec.model_validate(
        {
            "provider": "generic",
            "name": "w",
            "region": region,
            "existing": {"bucket": bucket},
            "storage": {"endpoint": ENDPOINT, **storage},
        }
    )


@pytest.mark.parametrize("given", [ENDPOINT, f"{ENDPOINT}/", "http://10.0.0.5"])
def test_an_origin_is_taken_without_a_slash(given: str) -> None:
    assert wording.endpoint(StorageSpec(endpoint=given)) == given.rstrip("/")


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        (spec(endpoint="s3.example.com"), "--storage-endpoint"),
        (spec(endpoint=f"{ENDPOINT}/bucket"), "--storage-endpoint"),
        (spec(endpoint="https://me:secret@s3.example.com"), "--storage-endpoint"),
        (spec(region="On Prem"), "--region"),
        (spec(region="x" * 36), "--region"),
        (spec(bucket="gs://data", kind="s3"), "--bucket"),
        (spec(endpoint="http://10.0.0.5", addressing="virtual"), "--storage-addressing"),
    ],
)
def test_what_cannot_be_is_refused_by_its_option(wrong: CloudSpec, option: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        check(wrong)
    assert caught.value.code is errors.INVALID_SPEC
    assert caught.value.message.startswith(option)


@pytest.mark.parametrize(
    ("network", "option"),
    [
        ({"expose": "internal"}, "--expose internal"),
        ({"load_balancer_subnets": ["subnet-1"], "annotations": {"a": "b"}}, "--lb-subnet"),
    ],
)
def test_what_nobody_could_be_asked_for_is_not_promised(
    network: dict[str, Any], option: str
) -> None:
    with pytest.raises(errors.CliError) as caught:
        check(spec().model_copy(update={"network": NetworkSpec(**network)}))
    assert caught.value.code is errors.INVALID_SPEC
    assert caught.value.message.startswith(option)
    assert "network.annotations" in caught.value.fix


def test_annotations_of_ones_own_may_ask_for_an_internal_load_balancer() -> None:
    network = NetworkSpec(expose="internal", annotations={"metallb.io/address-pool": "lan"})
    check(spec().model_copy(update={"network": network}))


def test_without_an_endpoint_it_is_said_how_to_give_one() -> None:
    with pytest.raises(errors.CliError) as caught:
        check(spec(endpoint=None))
    assert caught.value.code is errors.MISSING_INPUT
    assert "ANYSCALE_K8S_STORAGE_ENDPOINT" in caught.value.fix


@pytest.mark.parametrize("bucket", ["team-data", "s3://team-data"])
def test_what_fits_is_taken(bucket: str) -> None:
    check(spec(bucket=bucket, addressing="virtual"))


def test_what_was_not_said_is_what_most_stores_take() -> None:
    store = wording.store(StorageSpec(endpoint=ENDPOINT))
    assert (store.addressing, store.checksums) == (Addressing.PATH, Checksums.WHEN_REQUIRED)
    storage = store.storage("data")
    assert (storage.url, storage.endpoint) == ("s3://data", ENDPOINT)


def keyless(identity: str, **more: Any) -> CloudSpec:
    given = {"provider": "generic", "name": "w", "region": "onprem"}
    existing = {"identity": identity, **more.pop("existing", {})}
    return CloudSpec.model_validate({**given, "existing": existing, "storage": more})


ROLE = "arn:aws:iam::123456789012:role/teams/onprem-ray"


def test_a_role_leads_to_amazons_own_store_where_no_address_is_given() -> None:
    check(keyless(ROLE, region="us-west-2"))
    store = wording.store(StorageSpec(region="us-west-2"), role=ROLE)
    assert (store.endpoint, store.location) == ("", "us-west-2")
    assert store.addressing is Addressing.VIRTUAL
    assert wording.store(StorageSpec(endpoint=ENDPOINT), role=ROLE).endpoint == ENDPOINT


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        (keyless("onprem-ray", region="us-west-2"), "--identity"),
        (keyless(ROLE), "Missing: --storage-region"),
        (
            keyless(ROLE, region="us-west-2", existing={"identity_provider": "x"}),
            "--identity-provider",
        ),
    ],
)
def test_what_no_store_knows_as_an_identity_is_refused(wrong: CloudSpec, option: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        check(wrong)
    assert caught.value.message.startswith(option)
