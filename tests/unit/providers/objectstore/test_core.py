"""The SDK's descriptions of services are read in another way, and say the same."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from anyscale_k8s_cli.providers.objectstore.sdk import core
from anyscale_k8s_cli.providers.objectstore.sdk.core import new_session

USED = ["ec2", "eks", "iam", "s3", "sts"]


@pytest.fixture
def loader() -> Loader:
    """Afresh: clients of the SDK write into the description of S3 that they were given."""
    core._descriptions.cache_clear()
    loader: Loader = new_session().get_component("data_loader")
    return loader


@pytest.mark.parametrize("service", USED)
def test_a_service_is_described_as_the_sdk_has_it(loader: Loader, service: str) -> None:
    told = loader.load_service_model(service, "service-2")
    of_sdk = Loader().load_service_model(service, "service-2")
    if service == "ec2":  # of which only the operations that are called are there
        everything = of_sdk["operations"]
        of_sdk["operations"] = {name: everything[name] for name in told["operations"]}
    assert told == of_sdk


def test_the_services_there_are_hold_all_of_the_sdks(loader: Loader) -> None:
    known = set(Loader().list_available_services("service-2"))
    assert known <= set(loader.list_available_services("service-2"))


def test_what_is_not_there_is_told_in_the_sdks_words(loader: Loader) -> None:
    with pytest.raises(DataNotFoundError, match="partitions/9"):
        loader.load_data("partitions/9")


def test_sessions_read_once(loader: Loader) -> None:
    assert new_session().get_component("data_loader") is loader


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_the_users_own_comes_first(
    packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", os.pathsep.join(["~/none", str(tmp_path)]))
    file = tmp_path / "partitions.json"
    text = json.dumps({"partitions": ["mine"]}).encode()
    if packed:
        Path(f"{file}.gz").write_bytes(gzip.compress(text))
    else:
        file.write_bytes(text)

    assert new_session().get_component("data_loader").load_data("partitions") == {
        "partitions": ["mine"]
    }
