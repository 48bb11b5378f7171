"""What a teardown keeps because the user brought it."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.controlplane.models import CloudResource
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.removal import brought

INSTALL = Install("eks", "123456789012", "us-west-2", "cluster/demo", "anyscale-operator", "prod")
MADE = f"s3://{INSTALL.name(limit=63)}"
ROLE = "arn:aws:iam::123456789012:role/team/operator"


def registered(bucket: str, identity: str) -> CloudResource:
    return CloudResource.model_validate(
        {
            "name": INSTALL.resource_name,
            "compute_stack": "K8S",
            "provider": "AWS",
            "region": "us-west-2",
            "object_storage": {"bucket_name": bucket},
            "kubernetes_config": {"anyscale_operator_iam_identity": identity},
        }
    )


def test_what_the_registration_names_and_nobody_of_us_made_is_the_users() -> None:
    kept = brought(registered("s3://team-data", ROLE), INSTALL, ())

    assert [(item.kind, item.id, item.ownership) for item in kept] == [
        ("bucket", "s3://team-data", "adopted"),
        ("identity", ROLE, "adopted"),
    ]
    assert [item.title for item in kept] == [
        "your own bucket s3://team-data",
        f"your own identity {ROLE}",
    ]


@pytest.mark.parametrize("there", [{MADE}, set()], ids=["there", "removed by hand"])
def test_our_own_bucket_is_never_taken_for_the_users(there: set[str]) -> None:
    kept = brought(registered(MADE, ROLE), INSTALL, there)

    assert [item.kind for item in kept] == ["identity"]
