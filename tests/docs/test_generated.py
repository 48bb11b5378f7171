"""What follows from the code stands in the pages as the code has it now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from anyscale_k8s_cli import spec_loading
from anyscale_k8s_cli.sandbox import worlds

from .conftest import DOCS, generator, name

HOW = "run: nox -s docs -- write"


def test_generated_parts_are_up_to_date() -> None:
    # Not a parameter: all workers would read the whole package to learn the pages' names.
    written = generator().written()

    assert written
    stale = [page for page, text in written.items() if page.read_text(encoding="utf-8") != text]
    assert [name(page) for page in stale] == [], HOW


def published(name: str = "cloud") -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((DOCS / "schemas" / f"{name}.json").read_text("utf-8"))
    return schema


def examples(page: str = "cloud-yaml.md") -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [block.partition("```")[0] for block in text.split("```yaml\n")[1:]]


def test_the_page_of_the_file_has_examples() -> None:
    assert examples()


@pytest.mark.parametrize("text", examples())
def test_examples_of_the_file_are_accepted(text: str, tmp_path: Path) -> None:
    file = tmp_path / "cloud.yaml"
    file.write_text(text, encoding="utf-8")

    jsonschema.Draft202012Validator(published()).validate(yaml.safe_load(text))
    spec_loading.load(flags={}, file=file, environment={})


def test_the_schema_refuses_what_the_tool_refuses() -> None:
    validator = jsonschema.Draft202012Validator(published())
    fit = {"provider": "eks", "name": "prod"}

    validator.validate(fit)
    for unfit in ({"provider": "eks"}, {**fit, "nmae": "x"}, {**fit, "name": "a b"}):
        assert not validator.is_valid(unfit)


def test_worlds_are_accepted_by_their_schema_and_by_the_tool(tmp_path: Path) -> None:
    file = tmp_path / "world.yaml"
    told = examples("sandbox.md")
    ready = [path.read_text("utf-8") for path in Path(worlds.__file__).parent.glob("*.yaml")]
    validator = jsonschema.Draft202012Validator(published("world"))

    assert told
    assert len(ready) == len(worlds.names())
    for text in (*told, *ready):
        file.write_text(text, encoding="utf-8")
        validator.validate(yaml.safe_load(text))
        assert worlds.read(str(file)).about
    assert not validator.is_valid({"eks": {"gpus": 1}})


def test_every_key_is_described() -> None:
    schema = generator().cloud_schema()

    assert [
        path for path, kind in generator()._leaves(schema, schema) if not kind["description"]
    ] == []
