"""A resource file of Anyscale's own client, read as settings of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.operations.vendor_file import settings_in

DEPLOYMENT = {
    "name": "vm-aws-us-west-2",
    "provider": "AWS",
    "compute_stack": "K8S",
    "region": "us-west-2",
    "object_storage": {"bucket_name": "s3://data", "region": "us-west-2"},
    "kubernetes_config": {
        "anyscale_operator_iam_identity": "arn:aws:iam::123456789012:role/ray",
        "zones": ["us-west-2a"],
    },
    "file_storage": {"mount_targets": [{"address": "10.0.0.5", "zone": "us-west-2a"}]},
    "aws_config": {},
}


def written(folder: Path, document: object) -> Path:
    path = folder / "resource.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def test_it_is_read_by_our_names(tmp_path: Path) -> None:
    assert settings_in(written(tmp_path, DEPLOYMENT)) == {
        "provider": "aws",
        "region": "us-west-2",
        "existing.bucket": "s3://data",
        "existing.identity": "arn:aws:iam::123456789012:role/ray",
        "existing.zones": ("us-west-2a",),
        "existing.file_storage.nfs_mount_targets": ("us-west-2a,10.0.0.5",),
    }


def test_a_cloud_yaml_is_none(tmp_path: Path) -> None:
    assert settings_in(written(tmp_path, {"provider": "eks", "name": "prod"})) is None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"compute_stack": "VM"}, "compute_stack"),
        ({"aws_config": {"vpc_id": "vpc-1"}}, "aws_config.vpc_id"),
        ({"networking_mode": "PRIVATE"}, "networking_mode"),
    ],
)
def test_what_means_nothing_here_is_refused(
    tmp_path: Path, more: dict[str, object], told: str
) -> None:
    with pytest.raises(errors.CliError, match=told) as refusal:
        settings_in(written(tmp_path, {**DEPLOYMENT, **more}))
    assert refusal.value.code is errors.INVALID_SPEC
