"""The probe on a stand-in cluster, as an administrator of it would run it."""

from __future__ import annotations

import asyncio
from typing import Any

from anyscale_k8s_cli.addons.pod_probe import PodProbe, Question
from anyscale_k8s_cli.checks import Result, run_checks
from anyscale_k8s_cli.checks.pods import pod_checks
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn

INSTALL = Install("toy", "account", "region", "cluster", "anyscale-operator", "prod")
AGAIN = "run it again"


def administrator(cluster: KubernetesStandIn) -> Kubernetes:
    certificate, key = cluster.admin_certificate()
    access = ClusterAccess(
        cluster.url,
        cluster.ca_pem.decode(),
        None,
        client_certificate_pem=certificate.decode(),
        client_key_pem=key.decode(),
    )
    return Kubernetes(access, Run())


async def probed(
    cluster: KubernetesStandIn, question: Question, *needed: str, **changes: Any
) -> dict[str, Result]:
    """The verdicts by code. The stand-in lives on the loop that this leaves free."""
    settings: dict[str, Any] = {"cloud_side": None, "seconds": 30.0, **changes}
    probe = PodProbe(administrator(cluster), INSTALL, **settings)
    checks = pod_checks(probe, lambda: question, AGAIN, needed)
    report = await asyncio.to_thread(lambda: asyncio.run(run_checks(checks, Run())))
    return {result.check.code: result for result in report.results}


def leftovers(store: Any) -> list[str]:
    """What is still there of a probe."""
    return [
        f"{kind}/{item['metadata']['name']}"
        for kind in ("jobs.batch", "configmaps", "pods")
        for item in store.items(kind, INSTALL.namespace)
        if item["metadata"]["name"].startswith("anyscale-k8s-probe")
    ]


def left_by_probe(namespace: str) -> list[Document]:
    """Objects with the names of a probe's, as little as the API takes of them."""
    metadata = {"name": "anyscale-k8s-probe", "namespace": namespace}
    container = {"name": "probe", "image": "registry.invalid/no-such-image/python:3"}
    pod = {"restartPolicy": "Never", "containers": [container]}
    job = {"metadata": metadata, "spec": {"template": {"spec": pod}}}
    return [
        {"apiVersion": "batch/v1", "kind": "Job", **job},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}},
    ]
