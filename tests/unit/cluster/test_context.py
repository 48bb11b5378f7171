"""A context of the user's kubeconfig, copied; and the private one for child processes."""

from __future__ import annotations

import base64
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster import private_kubeconfig
from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.cluster.context import from_context
from anyscale_k8s_cli.cluster.private_kubeconfig import PrivateKubeconfig

CA = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


def kubeconfig(tmp_path: Path, user: Any, **cluster: Any) -> Path:
    server = {
        "server": "https://10.0.0.1:6443/",
        "certificate-authority-data": base64.b64encode(CA.encode()).decode(),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "one", "user": "me"}},
            {"name": "two", "context": {"cluster": "one"}},
        ],
        "clusters": [{"name": "one", "cluster": server | cluster}],
        "users": [{"name": "me", "user": user}],
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    return path


def test_token_and_authority_are_copied_and_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "abc"}, **{"tls-server-name": "api.example"})
    before = path.read_bytes()
    access = from_context(None, path)
    assert access.endpoint == "https://10.0.0.1:6443"
    assert access.ca_pem == CA
    assert access.tls_server_name == "api.example"
    assert access.token is not None
    assert access.token().value == "abc"
    assert path.read_bytes() == before
    assert "abc" not in repr(access)


@pytest.mark.parametrize("named", [None, "two"])
def test_commands_for_people_name_the_context(tmp_path: Path, named: str | None) -> None:
    path = kubeconfig(tmp_path, {"token": "abc"})
    access = from_context(named, path)
    place = f"{named or 'one'} --kubeconfig {path}"
    assert access.kubectl("get pods -A") == f"kubectl --context {place} get pods -A"
    assert access.helm("list -A") == f"helm --kube-context {place} list -A"
    assert access.kubectl("auth whoami") in access.grant


def test_commands_for_people_reach_no_other_cluster() -> None:
    access = ClusterAccess("https://demo.example", CA, None)
    assert access.kubectl("get pods") == "kubectl --server https://demo.example get pods"
    assert access.helm("list") == "helm --kube-apiserver https://demo.example list"


def test_files_count_from_the_kubeconfig_and_tokens_are_read_anew(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    access = from_context("one", kubeconfig(tmp_path, {"tokenFile": "token"}))
    assert access.token is not None
    assert access.token().value == "first"
    (tmp_path / "token").write_text("second\n")
    assert access.token().value == "second"


def test_a_plugin_is_asked_for_each_token(tmp_path: Path) -> None:
    script = tmp_path / "plugin.py"
    script.write_text(
        "import json, pathlib\n"
        "count = pathlib.Path(__file__).with_name('count')\n"
        "number = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(number))\n"
        "status = {'token': f'token-{number}', 'expirationTimestamp': '2030-01-01T00:00:00Z'}\n"
        "api = 'client.authentication.k8s.io/v1beta1'\n"
        "print(json.dumps({'apiVersion': api, 'kind': 'ExecCredential', 'status': status}))\n"
    )
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": sys.executable,
        "args": [str(script)],
    }
    access = from_context("one", kubeconfig(tmp_path, {"exec": plugin}))
    assert access.token is not None
    assert access.token() == BearerToken("token-1", datetime(2030, 1, 1, tzinfo=UTC))
    assert access.token().value == "token-2"


def test_a_plugin_that_fails_says_so(tmp_path: Path) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": sys.executable,
        "args": ["-c", "import sys; sys.exit('log in first')"],
    }
    access = from_context("one", kubeconfig(tmp_path, {"exec": plugin}))
    assert access.token is not None
    with pytest.raises(errors.CliError) as caught:
        access.token()
    assert caught.value.code is errors.CLUSTER_UNAUTHENTICATED
    assert "log in first" in caught.value.cause


def test_without_verification_it_is_refused(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "abc"}, **{"insecure-skip-tls-verify": True})
    with pytest.raises(errors.CliError) as caught:
        from_context("one", path)
    assert caught.value.code is errors.INVALID_SPEC


@pytest.mark.parametrize("name", ["three", "two"])
def test_contexts_that_are_missing_or_have_no_user(tmp_path: Path, name: str) -> None:
    path = kubeconfig(tmp_path, {"token": "abc"})
    if name == "two":
        assert from_context(name, path).token is None
        return
    with pytest.raises(errors.CliError) as caught:
        from_context(name, path)
    assert caught.value.code is errors.CLUSTER_NOT_FOUND


def test_the_private_file_is_private_and_gone_afterwards() -> None:
    access = ClusterAccess("https://10.0.0.1", CA, lambda: BearerToken("s3cret"))
    with PrivateKubeconfig(access) as path:
        assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        document = yaml.safe_load(path.read_text())
        token_file = Path(document["users"][0]["user"]["tokenFile"])
        assert token_file.read_text() == "s3cret"
        assert stat.S_IMODE(os.stat(token_file).st_mode) == 0o600
        assert "s3cret" not in path.read_text()
        assert from_context(None, path).ca_pem == CA
    assert not path.parent.exists()


def test_the_token_file_is_renewed_before_the_token_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_kubeconfig, "_FAILED_SECONDS", 0.01)
    given: list[str] = []

    def token() -> BearerToken:
        given.append(f"token-{len(given)}")
        lives = timedelta(seconds=5 if len(given) < 3 else 3600)
        return BearerToken(given[-1], datetime.now(UTC) + lives)

    with PrivateKubeconfig(ClusterAccess("https://10.0.0.1", CA, token)) as path:
        token_file = path.parent / "token"
        for _ in range(500):
            if token_file.read_text() == "token-2":
                break
            time.sleep(0.01)
        assert token_file.read_text() == "token-2"


_KILLED = """
import os, signal, sys
from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.cluster.private_kubeconfig import PrivateKubeconfig

access = ClusterAccess("https://10.0.0.1", "", lambda: BearerToken("secret"))
with PrivateKubeconfig(access) as path:
    print(path, flush=True)
    sys.stdin.read(1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is killed that way there")
def test_what_a_killed_process_left_is_removed_and_nothing_of_a_living_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = [sys.executable, "-c", _KILLED]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        theirs = Path(child.stdout.readline().strip())
        with PrivateKubeconfig(ClusterAccess("https://10.0.0.1", CA, None)):
            assert (theirs.parent / "token").read_text() == "secret"
        child.stdin.write("x")
        child.stdin.close()
        assert child.wait() == -signal.SIGKILL
    assert theirs.exists()
    with PrivateKubeconfig(ClusterAccess("https://10.0.0.1", CA, None)) as mine:
        assert not theirs.parent.exists()
        assert mine.exists()
    assert list(tmp_path.iterdir()) == []
