"""Reading is generous, and an update loses nothing."""

from __future__ import annotations

import json

from anyscale_k8s_cli.controlplane.clouds import placeholder_credentials
from anyscale_k8s_cli.controlplane.models import (
    Cloud,
    CloudProvider,
    DecoratedCloudResource,
    NewCloud,
)

READ = {
    "cloud_resource_id": "cldrsrc_1",
    "cloud_deployment_id": "cldrsrc_1",
    "name": "eks-1",
    "provider": "AWS",
    "compute_stack": "K8S",
    "region": "us-west-2",
    "object_storage": {"bucket_name": "s3://b", "region": "us-west-2", "novel": 1},
    "kubernetes_config": {"anyscale_operator_iam_identity": "role", "zones": ["a"]},
    "aws_config": {},
    "future": {"kept": True},
    "created_at": "2026-01-01T00:00:00Z",
    "is_default": True,
    "operator_status": "SOMETHING_NEW",
    "operator_status_details": {
        "operator_version": "1.8.0",
        "reported_at": "2026-01-01T00:00:00Z",
        "check_results": [{"name": "STORAGE_BUCKET", "status": "ODD", "details": "x"}],
    },
}


def test_unknown_values_are_read() -> None:
    cloud = Cloud.model_validate(
        {"id": "cld_1", "name": "n", "state": "PENDING_RESOURCES", "status": "odd", "extra": 1}
    )
    assert cloud.state == "PENDING_RESOURCES"
    assert not cloud.deleting
    resource = DecoratedCloudResource.model_validate(READ)
    assert not resource.healthy
    assert resource.reported_at is not None


def test_an_update_sends_unknown_fields_back_and_no_decoration() -> None:
    sent = DecoratedCloudResource.model_validate(READ).undecorated()
    decoration = {
        "cloud_deployment_id",
        "created_at",
        "is_default",
        "operator_status",
        "operator_status_details",
    }
    assert sent == {key: value for key, value in READ.items() if key not in decoration}


def test_a_new_kubernetes_cloud() -> None:
    new = NewCloud(name="prod", provider=CloudProvider.AWS, region="us-west-2", credentials="ab")
    assert new.payload() == {
        "name": "prod",
        "provider": "AWS",
        "region": "us-west-2",
        "credentials": "ab",
        "auto_add_user": True,
        "compute_stack": "K8S",
        "is_k8s": True,
        "is_bring_your_own_resource": True,
        "cluster_management_stack_version": "v2",
    }


def test_placeholder_credentials_are_stable_and_differ_between_installs() -> None:
    first = placeholder_credentials(CloudProvider.AWS, "1f3a9c2e")
    assert first == placeholder_credentials(CloudProvider.AWS, "1f3a9c2e")
    assert first != placeholder_credentials(CloudProvider.AWS, "1f3a9c2f")
    assert int(first, 16)
    google = json.loads(placeholder_credentials(CloudProvider.GCP, "1f3a9c2e"))
    assert set(google) == {"provider_id", "project_id", "service_account_email"}
    assert google["provider_id"] == ""
    assert placeholder_credentials(CloudProvider.AZURE, "x") == ""
    assert placeholder_credentials(CloudProvider.GENERIC, "x") == ""
