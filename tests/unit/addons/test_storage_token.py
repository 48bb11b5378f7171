"""What brings a token of the pods' own service account into the operator's pods and Ray's."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
import jsonpatch
import pytest

from anyscale_k8s_cli.addons import storage_credentials, storage_token
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.credential_kinds import S3Role
from anyscale_k8s_cli.storage_token import PATH

ROLE = S3Role("arn:aws:iam::123456789012:role/onprem-ray")
STORE = Storage("s3://models", "us-west-2")


def side(audience: str = "sts.amazonaws.com") -> Any:
    keys = SimpleNamespace(output=ROLE, credentials=S3Role)
    storage = SimpleNamespace(output=STORE)
    return SimpleNamespace(storage=storage, storage_keys=keys, token_audience=audience)


def container(name: str) -> dict[str, Any]:
    return {"name": name, "env": [], "volumeMounts": []}


def test_the_sdk_finds_role_and_token_by_the_two_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = storage_credentials.secret(STORE, ROLE, "ray")["data"]
    for name, variable in (
        ("credentials", "AWS_SHARED_CREDENTIALS_FILE"),
        ("config", "AWS_CONFIG_FILE"),
    ):
        (tmp_path / name).write_text(base64.b64decode(data[name]).decode())
        monkeypatch.setenv(variable, str(tmp_path / name))
    session = botocore.session.Session()
    resolver = session.get_component("credential_provider")
    provider = resolver.get_provider("assume-role-with-web-identity")
    assert provider._get_config("role_arn") == ROLE.arn
    assert provider._get_config("web_identity_token_file") == PATH
    assert session.get_config_variable("region") == "us-west-2"


def test_agents_of_rays_pods_see_the_token_where_the_sdk_looks() -> None:
    values = storage_credentials.storage_values(side())
    head = next(item for item in values["patches"] if "(head)" in item["selector"])
    pod = {
        "spec": {
            "volumes": [{"name": "aws-creds"}],
            "containers": [container(name) for name in ("ray", "v", "a", "x", "y", "p")],
        }
    }
    patched = jsonpatch.apply_patch(pod, head["patch"])["spec"]
    token = patched["volumes"][-1]["projected"]["sources"][0]["serviceAccountToken"]
    assert token["audience"] == "sts.amazonaws.com"
    mounts = [item["volumeMounts"] for item in patched["containers"]]
    assert [len(found) for found in mounts] == [1, 1, 1, 0, 0, 1]
    assert f"{mounts[0][0]['mountPath']}/{token['path']}" == PATH


def test_the_operators_deployment_gets_the_same_and_nothing_else() -> None:
    pod = storage_token.addition(side())["template"]["spec"]
    [operator], [volume] = pod["containers"], pod["volumes"]
    assert operator["name"] == "operator"
    assert operator["volumeMounts"][0]["name"] == volume["name"]


@pytest.mark.parametrize("none", [None, side("")])
def test_without_an_audience_nothing_is_added(none: Any) -> None:
    assert storage_token.addition(none) == {}


def test_another_role_makes_new_pods_of_the_operator() -> None:
    first, other = side(), side()
    other.storage_keys = SimpleNamespace(output=S3Role(ROLE.arn + "-2"), credentials=S3Role)
    annotations = [
        storage_credentials.storage_values(item)["operator"]["annotations"]
        for item in (first, other)
    ]
    assert annotations[0] != annotations[1]
