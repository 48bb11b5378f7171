"""Where a person's keys of a store are found, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.providers.objectstore.sdk.given import AMAZONS, OWN, TEMPORARY, given_keys


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variables; the files are where the test writes them."""
    for name in (*OWN, *AMAZONS, TEMPORARY, "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path


def give(monkeypatch: pytest.MonkeyPatch, names: tuple[str, str], access_key: str) -> None:
    for name, value in zip(names, (access_key, "secret"), strict=True):
        monkeypatch.setenv(name, value)


def test_without_any_there_are_none() -> None:
    assert given_keys(None) is None


def test_our_own_variables_win_over_amazons(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, AMAZONS, "AMAZONS")
    assert given_keys(None) == S3Keys("AMAZONS", "secret")
    give(monkeypatch, OWN, "OWN")
    assert given_keys(None) == S3Keys("OWN", "secret")


def test_a_named_profile_wins_over_variables(
    monkeypatch: pytest.MonkeyPatch, nothing_given: Path
) -> None:
    give(monkeypatch, OWN, "OWN")
    (nothing_given / "credentials").write_text(
        "[lab]\naws_access_key_id = LAB\naws_secret_access_key = s3cret\n"
    )
    assert given_keys("lab") == S3Keys("LAB", "s3cret")


def test_keys_that_end_by_themselves_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, AMAZONS, "ASIA")
    monkeypatch.setenv(TEMPORARY, "token")
    with pytest.raises(errors.CliError) as caught:
        given_keys(None)
    assert caught.value.code is errors.CLOUD_CREDENTIALS_REJECTED
    assert "token" not in caught.value.fix.lower().replace(TEMPORARY.lower(), "")


@pytest.mark.parametrize("text", ["", "[lab]\nregion = x\n", "[lab]\naws_access_key_id = A\n"])
def test_a_profile_without_keys_says_so(nothing_given: Path, text: str) -> None:
    (nothing_given / "credentials").write_text(text)
    with pytest.raises(errors.CliError) as caught:
        given_keys("lab")
    assert caught.value.code is errors.CLOUD_CREDENTIALS_MISSING
    assert "--profile lab" in caught.value.fix
