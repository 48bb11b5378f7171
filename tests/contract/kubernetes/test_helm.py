"""The real helm on the stand-in: install, upgrade, fail, go back, uninstall."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable

_TEMPLATES = """
apiVersion: v1
kind: ConfigMap
metadata: {name: demo}
data: {message: "{{ .Values.message }}"}
---
apiVersion: v1
kind: Service
metadata: {name: demo}
spec: {type: LoadBalancer, selector: {app: demo}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: demo}
spec:
  replicas: 1
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec: {containers: [{name: main, image: "{{ .Values.image }}"}]}
---
apiVersion: demo.example.com/v1
kind: Widget
metadata: {name: demo}
spec: {size: 1}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: demo-hook
  annotations: {helm.sh/hook: "pre-install,pre-upgrade"}
spec:
  backoffLimit: 0
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "{{ .Values.hook }}"}]}
"""
_CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.demo.example.com}
spec:
  group: demo.example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


@pytest.fixture
def chart(tmp_path: Path) -> str:
    root = tmp_path / "chart"
    (root / "templates").mkdir(parents=True)
    (root / "crds").mkdir()
    (root / "Chart.yaml").write_text("{apiVersion: v2, name: demo, version: 0.1.0}")
    (root / "values.yaml").write_text("{message: one, image: 'demo:1', hook: 'hook:1'}")
    (root / "templates" / "all.yaml").write_text(_TEMPLATES)
    (root / "crds" / "widgets.yaml").write_text(_CRD)
    return str(root)


def message(core: client.CoreV1Api) -> str:
    return str(core.read_namespaced_config_map("demo", "team").data["message"])


def test_the_life_of_a_release(
    cluster: Any, core: client.CoreV1Api, helm_executable: HelmExecutable, chart: str
) -> None:
    def run(verb: str, *arguments: str) -> tuple[int, str]:
        done = cluster.run(
            str(helm_executable.path), verb, "demo", *arguments, "--namespace", "team"
        )
        return done.returncode, done.stdout + done.stderr

    upgrade = ("upgrade", chart, "--install", "--create-namespace", "--wait", "--timeout")
    code, output = run(*upgrade, "30s")
    assert code == 0, output
    assert message(core) == "one"
    code, output = run(*upgrade, "30s", "--set", "message=two")
    assert code == 0, output
    assert message(core) == "two"

    code, output = run(*upgrade, "2s", "--set", "image=never-ready:1")
    assert code != 0
    code, output = run(*upgrade, "30s", "--set", "hook=always-fails:1")
    assert code != 0
    assert "demo-hook" in output
    code, output = run("history", "--output", "json")
    assert [entry["status"] for entry in json.loads(output)][-2:] == ["failed", "failed"]

    code, output = run("rollback", "1", "--wait", "--timeout", "30s")
    assert code == 0, output
    assert message(core) == "one"
    code, output = run("uninstall", "--wait", "--timeout", "30s")
    assert code == 0, output
    assert [item.metadata.name for item in core.list_namespaced_service("team").items] == []
    left = cluster.standin.store.snapshot()
    assert not [key for key in left if key.startswith(("secrets/team", "deployments.apps/team"))]
