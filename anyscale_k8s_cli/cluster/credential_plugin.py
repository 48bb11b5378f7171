"""The program that a user's kubeconfig names to get a token: its choice is the user's own.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from typing import Any

from anyscale_k8s_cli.cluster.kubeconfig import Entry, KubeconfigError

_EXTENSION = "client.authentication.k8s.io/exec"
_OF_CLUSTER = ("server", "tls-server-name", "proxy-url", "certificate-authority-data")


def ask_plugin(user: Entry, cluster: Entry) -> dict[str, Any]:
    """The `status` of what the user's plugin answers. Raises `KubeconfigError`, OSError."""
    settings = user.get("exec")
    if not isinstance(settings, dict):
        raise KubeconfigError(f"exec of a user in {user.file} is no plugin")
    plugin = Entry(settings, user.file)
    version = plugin.need("apiVersion")
    interactive = plugin.get("interactiveMode") != "Never" and _somebody_is_there()
    told: dict[str, Any] = {"interactive": interactive}
    if plugin.get("provideClusterInfo"):
        told["cluster"] = _cluster_info(cluster)
    question = {"apiVersion": version, "kind": "ExecCredential", "spec": told}
    variables = {str(item["name"]): str(item["value"]) for item in plugin.get("env") or ()}
    environment = {**os.environ, **variables, "KUBERNETES_EXEC_INFO": json.dumps(question)}
    answer = subprocess.run(
        [_program(plugin, environment), *map(str, plugin.get("args") or ())],
        stdin=None if interactive else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None if interactive else subprocess.PIPE,
        env=environment,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if answer.returncode != 0:
        said = (answer.stderr or "").strip()
        raise KubeconfigError(f"its plugin ended with {answer.returncode}: {said}".rstrip(": "))
    return _status(answer.stdout, version)


def _somebody_is_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _program(plugin: Entry, environment: dict[str, str]) -> str:
    command = plugin.need("command")
    if os.path.dirname(command):
        return str(plugin.beside(command))
    # Windows looks for nothing but `.exe` by itself.
    return shutil.which(command, path=environment.get("PATH")) or command


def _cluster_info(cluster: Entry) -> dict[str, Any]:
    info = {key: cluster.get(key) for key in _OF_CLUSTER if cluster.get(key)}
    file = cluster.get("certificate-authority")
    if file and "certificate-authority-data" not in info:
        content = cluster.beside(str(file)).read_bytes()
        info["certificate-authority-data"] = base64.b64encode(content).decode()
    for extension in cluster.get("extensions") or ():
        if extension.get("name") == _EXTENSION:
            info["config"] = extension.get("extension")
    return info


def _status(text: str, version: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
        told, status = answer["apiVersion"], dict(answer["status"])
    except (KeyError, TypeError, ValueError) as problem:
        raise KubeconfigError("its plugin's answer is no ExecCredential") from problem
    if told != version:
        raise KubeconfigError(f"its plugin answers in {told}, not in {version}")
    return status
