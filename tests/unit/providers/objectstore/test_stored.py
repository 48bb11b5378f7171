"""A store's settings as the cluster's Secret has them, however that looks."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from anyscale_k8s_cli.addons.storage_credentials import secret
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.credential_kinds import S3Keys, kept
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.objectstore.stored import stored_settings
from anyscale_k8s_cli.spec import Addressing, Checksums, StorageSpec

INSTALL = Install("generic", "uid", "onprem", "uid", "ray", "prod")
STORAGE = Storage(
    "s3://data", "eu-1", "https://s3.example.com", Addressing.VIRTUAL, Checksums.WHEN_REQUIRED
)
KEYS = S3Keys("ID", "secret")


def written() -> dict[str, Any]:
    made = secret(STORAGE, KEYS, "ray")
    made["metadata"]["annotations"] |= INSTALL.locator()
    return made


def test_what_setup_wrote_is_read_again() -> None:
    assert stored_settings(written(), INSTALL) == StorageSpec(
        endpoint=STORAGE.endpoint,
        region=STORAGE.region,
        addressing="virtual",
        checksums="when_required",
    )
    assert kept(S3Keys, written(), INSTALL) == KEYS


@pytest.mark.parametrize("text", ["", "[default]\n", "nonsense", "[default]\nendpoint_url = x\n"])
def test_what_somebody_has_broken_says_nothing(text: str) -> None:
    broken = written()
    broken["data"]["config"] = base64.b64encode(text.encode()).decode()
    assert stored_settings(broken, INSTALL) == StorageSpec()


def test_another_installs_secret_is_nobodys_business() -> None:
    other = Install("generic", "uid", "onprem", "uid", "ray", "other")
    assert stored_settings(written(), other) == StorageSpec()
    assert kept(S3Keys, written(), other) is None
    assert stored_settings(None, INSTALL) == StorageSpec()
