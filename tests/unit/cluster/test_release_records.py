"""Helm's records, read without helm."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord, decode

MANIFEST = """---
# Source: chart/templates/account.yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: worker
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: elsewhere
  annotations:
    helm.sh/resource-policy: keep
data:
  text: |
    ---not a separator
---
# nothing but a comment
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.example.com
spec:
  description: "{long}"
""".replace("{long}", "x" * 40_000)


ACCESS = ClusterAccess("https://demo.example", "", None)


def secret(compressed: bool = True, **changes: Any) -> dict[str, Any]:
    release = {
        "name": "thing",
        "namespace": "ray",
        "version": 3,
        "info": {"status": "deployed", "first_deployed": "2026-01-01T00:00:00Z"},
        "chart": {"metadata": {"name": "chart", "version": "1.2.3", "appVersion": "9"}},
        "config": {"a": 1},
        "manifest": MANIFEST,
        "hooks": [{"manifest": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hook\n"}],
    }
    text = json.dumps(release | changes).encode()
    packed = base64.b64encode(gzip.compress(text) if compressed else text)
    return {
        "metadata": {
            "name": "sh.helm.release.v1.thing.v3",
            "namespace": "ray",
            "labels": {"anyscale-k8s/install": "1f3a9c2e", "version": "3"},
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }


@pytest.mark.parametrize("compressed", [True, False])
def test_decoding(compressed: bool) -> None:
    record = decode(secret(compressed), ACCESS)
    assert (record.chart, record.chart_version, record.revision) == ("chart", "1.2.3", 3)
    assert record.values == {"a": 1}
    assert record.id == "ray/thing@2026-01-01T00:00:00Z"
    assert record.labels["anyscale-k8s/install"] == "1f3a9c2e"


def test_objects_of_the_manifest() -> None:
    record = decode(secret(), ACCESS)
    assert [str(item.reference) for item in record.objects] == [
        "ServiceAccount worker in ray",
        "ConfigMap settings in elsewhere",
        "CustomResourceDefinition things.example.com in ray",
    ]
    assert [item.kept for item in record.objects] == [False, True, False]
    # A long document is known by its head alone.
    assert [item.document is None for item in record.objects] == [False, False, True]
    assert [str(item.reference) for item in record.hook_objects] == ["Job hook in ray"]


@pytest.mark.parametrize(
    ("status", "pending"),
    [
        ("deployed", False),
        ("failed", False),
        ("pending-install", True),
        ("pending-upgrade", True),
        ("pending-rollback", True),
        ("uninstalling", True),
    ],
)
def test_what_is_pending(status: str, pending: bool) -> None:
    record: ReleaseRecord = decode(secret(info={"status": status}), ACCESS)
    assert record.pending is pending


@pytest.mark.parametrize("data", [{}, {"release": "no base64!"}, {"release": "e30="}])
def test_what_is_no_record_is_an_error_that_names_it(data: dict[str, str]) -> None:
    broken = secret() | {"data": data}
    with pytest.raises(errors.CliError) as caught:
        decode(broken, ACCESS)
    assert caught.value.code is errors.CLUSTER_FAILED
    assert "sh.helm.release.v1.thing.v3" in caught.value.message
