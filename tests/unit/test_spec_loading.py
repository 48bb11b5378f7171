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
            "give one of --persistent-volume-claim, --csi-ephemeral-volume-driver and "
            "--nfs-mount-target",
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


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            {"pods.no_proxy": ["10.0.0.0/8"]},
            "--no-proxy: hosts without a proxy need a proxy; give --http-proxy or --https-proxy, "
            "too",
        ),
        (
            {"pods.no_proxy": ["10.0.0.0/99"]},
            "--no-proxy: '10.0.0.0/99' is no network; give a host, .DOMAIN, an address or a "
            "network such as 10.0.0.0/8",
        ),
        (
            {"pods.labels": {"te*am": "ml"}},
            "--pod-label: 'te*am' is not accepted; use a key as labels have: letters, digits, "
            "dots, dashes, after a domain and /",
        ),
        (
            {"existing.gateway": "a/b", "network.kind": "nginx"},
            "--gateway and --network nginx are two ways in; give one",
        ),
        (
            {"network.address": "in.example.com"},
            "--address is for a way in of your own: with --network none",
        ),
    ],
)
def test_what_is_wrong_with_options_is_told_by_their_names(
    flags: dict[str, object], told: str
) -> None:
    with pytest.raises(errors.CliError) as caught:
        load(flags={"provider": "eks", "name": "prod", **flags}, file=None, environment={})
    assert str(caught.value) == told


def test_a_proxy_that_is_wrong_is_told_once() -> None:
    flags = {"pods.http_proxy": "proxy:3128", "pods.no_proxy": ["a.example.com"]}
    with pytest.raises(errors.CliError, match="--http-proxy: no address of a proxy"):
        load(flags={"provider": "eks", "name": "prod", **flags}, file=None, environment={})
