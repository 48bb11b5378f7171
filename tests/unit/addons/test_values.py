"""Layers of Helm values, and the file they are written to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import values_file
from anyscale_k8s_cli.addons.values import merged
from anyscale_k8s_cli.install import Install

INSTALL = Install("eks", "1", "r", "cluster/one", "ray", "prod")
OTHER = Install("eks", "1", "r", "cluster/one", "ray", "staging")


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([{"a": {"b": 1}}, {"a": {"c": 2}}], {"a": {"b": 1, "c": 2}}),
        ([{"a": [1, 2]}, {"a": [3]}], {"a": [3]}),
        ([{"a": {"b": 1}}, {"a": None}], {"a": None}),
        ([{"a": 1}, {"a": {"b": 2}}], {"a": {"b": 2}}),
        ([{"a": {"b": 1}}, {"a": 2}], {"a": 2}),
        ([{"a": 1}, {}, {"a": 3}], {"a": 3}),
    ],
)
def test_later_layers_win_as_helm_has_it(layers: list[Any], expected: Any) -> None:
    assert merged(*layers) == expected


def test_layers_are_left_as_they_are() -> None:
    first: dict[str, Any] = {"a": {"b": 1}}
    merged(first, {"a": {"c": 2}})["a"]["d"] = 3
    assert first == {"a": {"b": 1}}


def test_the_file_says_who_wrote_it_and_can_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    values_file.check_writable(path, INSTALL)
    values_file.write(path, {"global": {"region": "x"}}, INSTALL)
    text = path.read_text()
    assert text.startswith(f"# Made by anyscale-k8s-cli for install {INSTALL.id}.\n")
    assert yaml.safe_load(text) == {"global": {"region": "x"}}
    values_file.check_writable(path, INSTALL)


@pytest.mark.parametrize("content", ["global: {}\n", "", "\x00\xff"])
def test_a_file_of_somebody_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "values.yaml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(errors.CliError) as caught:
        values_file.check_writable(path, INSTALL)
    assert caught.value.code is errors.FILE_NOT_OURS


def test_a_file_of_another_install_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    values_file.write(path, {}, OTHER)
    with pytest.raises(errors.CliError):
        values_file.check_writable(path, INSTALL)
