"""What a `cloud.yaml` may say, and how what is wrong with it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.spec_loading import load


def loaded(text: str, folder: Path) -> CloudSpec:
    file = folder / "cloud.yaml"
    file.write_text(f"provider: eks\nname: prod\n{text}", encoding="utf-8")
    return load(flags={}, file=file, environment={}).spec


@pytest.mark.parametrize("word", ["off", "'off'", "false"])
def test_off_may_be_written_as_yaml_likes_it(word: str, tmp_path: Path) -> None:
    assert loaded(f"gpu: {word}\n", tmp_path).gpu == "off"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gpu: on\n", "gpu in {}: 'on' is not one of 'auto' or 'off'"),
        ("region: 1\n", "region in {}: expected text, found the number 1; write it in quotes: '1'"),
        ("rules: {tags: {cost: 42}}\n", "expected text, found the number 42; write it in quotes"),
        ("region: [a]\n", "region in {}: expected text, found a list"),
        ("cluster: demo\n", "cluster in {}: expected keys and their values, found the text 'demo'"),
        ("network: {allow_cidrs: 10.0.0.0/8}\n", "expected a list, found the text '10.0.0.0/8'"),
        ("region: a\nregion: b\n", "{} is not valid YAML"),
        ("rules: {tags: {a: b, a: c}}\n", "{} is not valid YAML"),
        (
            "existing: {file_storage: {persistent_volume_claim: a, nfs_mount_targets: [b]}}",
            "give one of a persistent volume claim, a CSI driver and NFS",
        ),
        ("existing: {gateway: front}\n", "existing.gateway in {}: 'front' is not accepted; use"),
    ],
)
def test_what_is_wrong_is_told_in_the_files_own_words(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(errors.CliError) as caught:
        loaded(text, tmp_path)
    assert caught.value.code is errors.INVALID_SPEC
    assert told.format(tmp_path / "cloud.yaml") in str(caught.value)


def test_of_a_key_that_is_there_twice_the_second_is_shown(tmp_path: Path) -> None:
    with pytest.raises(errors.CliError) as caught:
        loaded("region: a\nregion: b\n", tmp_path)
    assert caught.value.cause == "line 4, column 1: the key 'region' is there twice"
