"""Where the token comes from, and that it stays there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane import credentials as subject

TOKEN = "aph0_MARKER-of-a-secret"
posix_only = pytest.mark.skipif(os.name == "nt", reason="POSIX modes")


def code_of(raised: pytest.ExceptionInfo[errors.CliError]) -> str:
    return raised.value.code.slug


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    subject.store_token("sss_file", tmp_path)
    found = subject.find_credentials({"ANYSCALE_CLI_TOKEN": TOKEN}, tmp_path)
    assert found.token == TOKEN
    assert "ANYSCALE_CLI_TOKEN" in found.source


def test_the_file_is_used_and_named(tmp_path: Path) -> None:
    path = subject.store_token(TOKEN, tmp_path)
    found = subject.find_credentials({}, tmp_path)
    assert (found.token, found.source, found.warnings) == (TOKEN, str(path), ())
    assert found.host == "https://console.anyscale.com"


def test_the_terraform_key_is_read_too(tmp_path: Path) -> None:
    path = subject.credentials_file(tmp_path)
    path.parent.mkdir(mode=0o700)
    path.write_text(json.dumps({"token": TOKEN}))
    path.chmod(0o600)
    assert subject.find_credentials({}, tmp_path).token == TOKEN


def test_the_token_is_in_no_representation(tmp_path: Path) -> None:
    subject.store_token(TOKEN, tmp_path)
    assert "MARKER" not in repr(subject.find_credentials({}, tmp_path))


@posix_only
def test_modes_are_narrow_from_the_start_and_repaired(tmp_path: Path) -> None:
    path = subject.store_token(TOKEN, tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    path.parent.chmod(0o755)
    warnings = subject.find_credentials({}, tmp_path).warnings
    assert len(warnings) == 2
    assert "MARKER" not in "".join(warnings)
    assert subject.fix_modes(tmp_path) == (path.parent, path)
    assert subject.find_credentials({}, tmp_path).warnings == ()


def test_storing_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    path = subject.store_token(TOKEN, tmp_path)
    subject.store_token("sss_newer", tmp_path)
    assert [item.name for item in path.parent.iterdir()] == ["credentials.json"]
    assert subject.find_credentials({}, tmp_path).token == "sss_newer"


def test_removing_twice(tmp_path: Path) -> None:
    subject.store_token(TOKEN, tmp_path)
    assert subject.remove_token(tmp_path)
    assert not subject.remove_token(tmp_path)


@pytest.mark.parametrize("token", ["nonsense", "xyz_1", "a1z9", "sss_a b", "aph0_ä", "aph0_\n1"])
def test_what_cannot_be_a_token_is_refused_without_quoting_it(token: str, tmp_path: Path) -> None:
    with pytest.raises(errors.CliError) as raised:
        subject.find_credentials({"ANYSCALE_CLI_TOKEN": token}, tmp_path)
    assert code_of(raised) == "token-malformed"
    assert token not in json.dumps(raised.value.as_json())


def test_no_token_names_the_login(tmp_path: Path) -> None:
    with pytest.raises(errors.CliError) as raised:
        subject.find_credentials({}, tmp_path)
    assert code_of(raised) == "not-logged-in"
    assert raised.value.fix == "anyscale login"


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        ("{", "token-malformed"),
        ("[]", "not-logged-in"),
        ('{"cli_token": ""}', "not-logged-in"),
    ],
)
def test_broken_files(content: str, slug: str, tmp_path: Path) -> None:
    path = subject.credentials_file(tmp_path)
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(errors.CliError) as raised:
        subject.find_credentials({}, tmp_path)
    assert code_of(raised) == slug


def test_a_broken_file_is_not_quoted(tmp_path: Path) -> None:
    path = subject.credentials_file(tmp_path)
    path.parent.mkdir()
    path.write_text('{"cli_token": "' + TOKEN)
    with pytest.raises(errors.CliError) as raised:
        subject.find_credentials({}, tmp_path)
    assert TOKEN not in json.dumps(raised.value.as_json())
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("https://console.azure.anyscale.com/", "https://console.azure.anyscale.com"),
        ("", "https://console.anyscale.com"),
        ("http://127.0.0.1:8080//", "http://127.0.0.1:8080"),
    ],
)
def test_hosts(given: str, host: str) -> None:
    assert subject.host_from({"ANYSCALE_HOST": given}) == host


@pytest.mark.parametrize(
    "given",
    ["console.anyscale.com", "http://console.example", "ftp://x", "https://", "https://x:notaport"],
)
def test_hosts_that_are_refused(given: str) -> None:
    with pytest.raises(errors.CliError) as raised:
        subject.host_from({"ANYSCALE_HOST": given})
    assert code_of(raised) == "usage"
