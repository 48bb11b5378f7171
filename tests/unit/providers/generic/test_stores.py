"""Which kind of store is meant, what is asked for it, and that no other's SDK is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from anyscale_k8s_cli.providers.generic import GenericProvider
from anyscale_k8s_cli.providers.generic.stores import Kind, kind_of
from anyscale_k8s_cli.run import Run

PROGRAM = """
import json, sys
from anyscale_k8s_cli.providers.generic import GenericProvider
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec
said = {"provider": "generic", "name": "w", "region": "onprem", **json.loads(sys.argv[1])}
GenericProvider(Run()).check_spec(CloudSpec.model_validate(said))
roots = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted({"azure", "botocore", "google"} & roots)))
"""


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, Kind.S3),
        ({"existing.bucket": "s3://data"}, Kind.S3),
        ({"existing.bucket": "data"}, Kind.S3),
        ({"existing.bucket": "gs://data"}, Kind.GCS),
        ({"existing.bucket": "abfss://data@team.dfs.core.windows.net"}, Kind.AZURE),
        ({"storage.account": "team"}, Kind.AZURE),
        ({"storage.kind": "gcs", "existing.bucket": "data"}, Kind.GCS),
        ({"storage.kind": "s3", "existing.bucket": "gs://data"}, Kind.S3),
    ],
)
def test_the_kind_is_said_or_follows_from_what_is(settings: dict[str, Any], kind: Kind) -> None:
    assert kind_of(settings) is kind


@pytest.mark.parametrize(
    ("settings", "environment", "asked"),
    [
        ({}, {"ANYSCALE_K8S_STORAGE_KIND": "gcs"}, ["GOOGLE_APPLICATION_CREDENTIALS"]),
        ({"storage.kind": "gcs", "credentials.google_key_file": "key.json"}, {}, []),
        ({"storage.kind": "gcs"}, {"GOOGLE_APPLICATION_CREDENTIALS": "key.json"}, []),
        (
            {"storage.account": "team"},
            {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"},
            ["AZURE_CLIENT_SECRET"],
        ),
    ],
)
def test_what_is_missing_is_asked_for(
    settings: dict[str, Any], environment: dict[str, str], asked: list[str]
) -> None:
    assert list(GenericProvider(Run()).secrets(settings, environment)) == asked


@pytest.mark.parametrize(
    ("said", "imported"),
    [
        ({"storage": {"endpoint": "https://s3.example.com"}}, ["botocore"]),
        ({"storage": {"kind": "gcs"}}, ["google"]),
        ({"storage": {"account": "team"}}, ["azure"]),
    ],
)
def test_no_other_sdk_is_imported(said: dict[str, Any], imported: list[str]) -> None:
    command = [sys.executable, "-c", PROGRAM, json.dumps(said)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == imported
