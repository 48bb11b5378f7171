"""Kubeconfigs as kubectl reads them: several are one; a plugin is told what it asks for."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli.cluster.credential_plugin import ask_plugin
from anyscale_k8s_cli.cluster.kubeconfig import Entry, KubeconfigError, read_kubeconfig

API = "client.authentication.k8s.io/v1"
ECHO = (
    "import json, os; asked = json.loads(os.environ['KUBERNETES_EXEC_INFO']);"
    "print(json.dumps({**asked, 'status': {'token': json.dumps(asked['spec']),"
    "'more': os.environ.get('MORE')}}))"
)


def written(file: Path, **document: Any) -> str:
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(file)


def plugin(**more: Any) -> dict[str, Any]:
    return {"apiVersion": API, "command": sys.executable, "args": ["-c", ECHO], **more}


def answer(tmp_path: Path, plugin: Any, **cluster: Any) -> dict[str, Any]:
    file = tmp_path / "config"
    return ask_plugin(Entry({"exec": plugin}, file), Entry(cluster, file))


def test_the_first_file_that_says_something_wins(tmp_path: Path) -> None:
    first = written(tmp_path / "1", contexts=[{"name": "a", "context": {"cluster": "first"}}])
    both = [{"name": name, "context": {"cluster": "second"}} for name in "ab"]
    second = written(tmp_path / "2", contexts=both, **{"current-context": "b"})
    third = written(tmp_path / "3", **{"current-context": "a"})

    merged = read_kubeconfig(os.pathsep.join([first, str(tmp_path / "none"), second, third]))

    assert {name: entry.get("cluster") for name, entry in merged.contexts.items()} == {
        "a": "first",
        "b": "second",
    }
    assert merged.current == "b"
    assert merged.contexts["a"].file == Path(first)


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "config").touch()
    assert read_kubeconfig(str(tmp_path / "config")).contexts == {}


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a: b: c", "mapping values are not allowed"),
        ("- a", "is no kubeconfig"),
        ("users: [alice]", "users is no list of named entries"),
        ("clusters: [{cluster: {server: x}}]", "clusters is no list of named entries"),
        ("contexts: [{name: a, context: b}]", "contexts is no list of named entries"),
        ("contexts: 3", "contexts is no list of named entries"),
    ],
)
def test_what_is_malformed_is_named(tmp_path: Path, text: str, cause: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(KubeconfigError, match=cause) as caught:
        read_kubeconfig(str(file))
    assert str(file) in str(caught.value)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="no such file"):
        read_kubeconfig(str(tmp_path / "none"))


def test_a_plugin_has_its_variables_and_nobody_to_ask(tmp_path: Path) -> None:
    status = answer(tmp_path, plugin(env=[{"name": "MORE", "value": "yes"}]))
    assert status["more"] == "yes"
    assert json.loads(status["token"]) == {"interactive": False}


def test_a_plugin_that_asks_for_it_is_told_of_the_cluster(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("authority")
    config = {"audience": "there"}
    extension = {"name": "client.authentication.k8s.io/exec", "extension": config}
    status = answer(
        tmp_path,
        plugin(provideClusterInfo=True),
        **{"server": "https://there", "certificate-authority": "ca.crt"},
        extensions=[{"name": "other", "extension": 1}, extension],
    )
    assert json.loads(status["token"])["cluster"] == {
        "server": "https://there",
        "certificate-authority-data": base64.b64encode(b"authority").decode(),
        "config": config,
    }


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_a_program_beside_the_kubeconfig_is_found(tmp_path: Path) -> None:
    program = tmp_path / "login"
    program.write_text(f"#!{sys.executable}\n{ECHO}")
    program.chmod(0o700)
    assert answer(tmp_path, {"apiVersion": API, "command": "./login"})["token"]


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ("login", "is no plugin"),
        ({"command": "login"}, "has no apiVersion"),
        ({"apiVersion": API}, "has no command"),
        (plugin(args=["-c", "print('hello')"]), "is no ExecCredential"),
        (plugin(args=["-c", ECHO.replace("**asked", "'apiVersion': 'v9'")]), "answers in v9"),
        (plugin(args=["-c", "import sys; sys.exit('log in first')"]), "with 1: log in first"),
    ],
)
def test_a_plugin_that_gives_nothing_says_why(tmp_path: Path, given: Any, cause: str) -> None:
    with pytest.raises(KubeconfigError, match=cause):
        answer(tmp_path, given)
