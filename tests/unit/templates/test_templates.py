"""Filling in documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli import templates


@pytest.fixture
def written(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A folder of documents in the place of ours."""
    monkeypatch.setattr(templates, "files", lambda _: tmp_path)
    templates._parsed.cache_clear()
    yield tmp_path
    templates._parsed.cache_clear()


def test_a_value_cannot_break_a_document(written: Any) -> None:
    (written / "a.yaml").write_text('name: "${name}"\nnote: for ${name}\n')
    evil = 'x"\nadmin: true #'
    assert templates.load_yaml("a.yaml", {"name": evil}) == {"name": evil, "note": f"for {evil}"}


def test_keys_are_filled_too(written: Any) -> None:
    (written / "a.json").write_text('{"${issuer}:sub": ["${who}"]}')
    filled = templates.load_json("a.json", {"issuer": "oidc.example/id", "who": "sa"})
    assert filled == {"oidc.example/id:sub": ["sa"]}


def test_a_placeholder_alone_keeps_the_type_of_its_value(written: Any) -> None:
    (written / "a.json").write_text('{"list": "${items}", "on": "${on}", "text": "${n} of them"}')
    filled = templates.load_json("a.json", {"items": [1, 2], "on": True, "n": 3})
    assert filled == {"list": [1, 2], "on": True, "text": "3 of them"}


def test_a_value_that_is_no_text_cannot_stand_inside_one(written: Any) -> None:
    (written / "a.json").write_text('{"text": "all of ${items}"}')
    with pytest.raises(TypeError, match="items"):
        templates.load_json("a.json", {"items": [1]})


def test_an_unknown_placeholder_is_an_error(written: Any) -> None:
    (written / "a.json").write_text('{"a": "${nobody}"}')
    with pytest.raises(templates.UnknownPlaceholder, match="nobody"):
        templates.load_json("a.json", {})


def test_values_are_not_filled_again(written: Any) -> None:
    (written / "a.json").write_text('{"a": "${one}"}')
    assert templates.load_json("a.json", {"one": "${two}"}) == {"a": "${two}"}


def test_every_document_of_ours_is_valid() -> None:
    found = 0
    pending = [files("anyscale_k8s_cli.templates")]
    while pending:
        folder = pending.pop()
        for item in folder.iterdir():
            if item.is_dir():
                pending.append(item)
            elif item.name.endswith(".json"):
                found += 1
                json.loads(item.read_text(encoding="utf-8"))
            elif item.name.endswith(".yaml"):
                found += 1
                list(yaml.safe_load_all(item.read_text(encoding="utf-8")))
    assert found > 0
