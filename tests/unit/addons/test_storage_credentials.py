"""The Secret of an object store's keys, as the AWS SDK itself reads it, and the chart's values."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest

from anyscale_k8s_cli.addons import storage_credentials as credentials
from anyscale_k8s_cli.addons.values import beside
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.credential_kinds import S3Keys, kept
from anyscale_k8s_cli.errors import CLOUD_CREDENTIALS_MISSING, CliError
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.spec import Addressing, Checksums
from anyscale_k8s_cli.storage_keys import GivenKeys

INSTALL = Install("generic", "uid", "onprem", "uid", "ray", "prod")
KEYS = S3Keys("AKIDEXAMPLE", "s%(cret)s/+=;#$ 'x")
STORE = Storage(
    "s3://models", "eu-1", "https://s3.example.com", Addressing.PATH, Checksums.WHEN_REQUIRED
)


def content(manifest: dict[str, Any], name: str) -> str:
    return base64.b64decode(manifest["data"][name]).decode()


def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: Storage) -> Any:
    """A client of the SDK that knows nothing but the two files."""
    manifest = credentials.secret(storage, KEYS, "ray")
    for name, variable in (
        ("credentials", "AWS_SHARED_CREDENTIALS_FILE"),
        ("config", "AWS_CONFIG_FILE"),
    ):
        (tmp_path / name).write_text(content(manifest, name))
        monkeypatch.setenv(variable, str(tmp_path / name))
    return botocore.session.Session().create_client("s3")


def test_the_sdk_understands_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = client(tmp_path, monkeypatch, STORE)
    config = made.meta.config
    assert (made.meta.endpoint_url, made.meta.region_name) == (STORE.endpoint, STORE.region)
    assert config.s3["addressing_style"] == "path"
    assert config.signature_version == "s3v4"
    assert config.request_checksum_calculation == "when_required"
    assert config.response_checksum_validation == "when_required"
    found = made._request_signer._credentials
    assert (found.access_key, found.secret_key) == (KEYS.access_key, KEYS.secret)


def test_only_the_id_of_the_key_is_readable() -> None:
    manifest = credentials.secret(STORE, KEYS, "ray")
    assert manifest["metadata"]["annotations"] == {"anyscale-k8s/credentials-id": KEYS.access_key}
    assert KEYS.secret not in str(manifest)


def test_what_was_written_is_read_again() -> None:
    manifest = credentials.secret(STORE, KEYS, "ray")
    assert kept(S3Keys, manifest, INSTALL) is None, "without our locator it is not ours"
    manifest["metadata"]["annotations"] |= INSTALL.locator()
    assert kept(S3Keys, manifest, INSTALL) == KEYS


@pytest.mark.parametrize(
    "text", ["", "[default]\n", "no section", "[default]\naws_access_key_id=A"]
)
def test_what_somebody_has_broken_holds_no_keys(text: str) -> None:
    manifest = credentials.secret(STORE, KEYS, "ray")
    manifest["metadata"]["annotations"] |= INSTALL.locator()
    manifest["data"]["credentials"] = base64.b64encode(text.encode()).decode()
    assert kept(S3Keys, manifest, INSTALL) is None


def side(storage: Storage, *, keys: S3Keys = KEYS) -> Any:
    """A side of the cloud whose storage and keys are known."""
    known = GivenKeys(S3Keys, INSTALL, lambda: keys, CliError(CLOUD_CREDENTIALS_MISSING, "none"))
    return SimpleNamespace(
        storage=SimpleNamespace(output=storage), storage_keys=known, token_audience=""
    )


def test_the_chart_mounts_the_secret_and_never_sees_what_is_in_it() -> None:
    values = credentials.storage_values(side(STORE))
    assert values["credentialMount"]["aws"]["enabled"] is True
    assert values["credentialMount"]["aws"]["createSecret"] == {"create": False}
    assert values["global"]["aws"]["region"] == STORE.region
    assert KEYS.secret not in str(values)


def test_path_style_is_told_to_the_agents_of_every_ray_pod() -> None:
    values = credentials.storage_values(side(STORE))
    assert values["global"]["aws"]["s3"] == {"usePathStyle": True}
    assert [patch["selector"] for patch in values["patches"]] == [
        "anyscale.com/ray-node-type in (head)",
        "anyscale.com/ray-node-type in (worker)",
    ]
    for patch in values["patches"]:
        assert {step["value"]["name"] for step in patch["patch"]} == {"ANYSCALE_S3_USE_PATH_STYLE"}


def test_a_virtual_hosted_store_needs_no_patches() -> None:
    values = credentials.storage_values(side(replace(STORE, addressing=Addressing.VIRTUAL)))
    assert "patches" not in values
    assert values["global"]["aws"]["s3"] == {"usePathStyle": False}


def test_other_keys_or_settings_make_new_pods_of_the_operator() -> None:
    def annotations(made: Any) -> Any:
        return credentials.storage_values(made)["operator"]["annotations"]

    first = annotations(side(STORE))
    assert annotations(side(STORE)) == first
    assert annotations(side(STORE, keys=S3Keys("OTHER", "x"))) != first
    assert annotations(side(replace(STORE, region="eu-2"))) != first


def test_a_platform_with_workload_identity_has_none_of_it() -> None:
    no_keys: Any = SimpleNamespace(storage_keys=None)
    assert credentials.storage_values(no_keys) == {}


def test_the_users_own_lists_come_after_ours_and_take_nothing_away() -> None:
    ours = credentials.storage_values(side(STORE))
    users = {"patches": [{"kind": "Pod"}], "operator": {"annotations": {"a": "b"}}}
    found = beside(ours, users)
    assert found["patches"] == [*ours["patches"], {"kind": "Pod"}]
    assert found["operator"] == users["operator"]
    assert beside({}, users) == users
