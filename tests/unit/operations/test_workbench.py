"""Opening a cluster by a context that the user names: only if it is the same cluster."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, cast

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.operations.workbench import open_cluster
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.spec import CloudSpec

OURS, OTHER = (Authority().ca_pem.decode() for _ in range(2))


class Platform:
    """A provider that knows one cluster."""

    def discover(self, _: CloudSpec) -> Cluster:
        access = ClusterAccess(
            endpoint="https://127.0.0.1:9", ca_pem=OURS, token=lambda: BearerToken("t")
        )
        return Cluster("demo", "cluster/demo", "284710593866", "us-west-2", "1.33", access)


def kubeconfig(folder: Path, authority: str) -> Path:
    cluster = {
        "server": "https://127.0.0.1:9",
        "certificate-authority-data": base64.b64encode(authority.encode()).decode(),
    }
    document = {
        "clusters": [{"name": "other", "cluster": cluster}],
        "contexts": [{"name": "other", "context": {"cluster": "other", "user": "me"}}],
        "users": [{"name": "me", "user": {"token": "abc"}}],
    }
    path = folder / "config"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def wanted(path: Path) -> CloudSpec:
    cluster = {"name": "demo", "context": "other", "kubeconfig": path}
    return CloudSpec.model_validate({"provider": "eks", "name": "prod", "cluster": cluster})


async def test_a_context_of_another_cluster_is_refused(tmp_path: Path) -> None:
    spec = wanted(kubeconfig(tmp_path, OTHER))

    with pytest.raises(errors.CliError) as raised:
        await open_cluster(cast(Any, Platform()), spec, Run())

    assert raised.value.code is errors.OTHER_CLUSTER
    assert "cluster/demo" in raised.value.cause


async def test_a_context_of_the_same_cluster_is_the_way_in(tmp_path: Path) -> None:
    spec = wanted(kubeconfig(tmp_path, OURS))

    with pytest.raises(errors.CliError) as raised:  # nobody listens there
        await open_cluster(cast(Any, Platform()), spec, Run())

    assert raised.value.code is errors.CLUSTER_UNREACHABLE
