"""Documents we write out: IAM policies, Helm values, manifests, as valid JSON and YAML.

Belongs here: documents, and the functions that read them. A document is
parsed first; then each `${placeholder}` in its scalars (keys included) is
filled in, so no value can break a document or add to it. Programs that run
elsewhere are handed out as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_PLACEHOLDER = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")


class UnknownPlaceholder(LookupError):
    """A document asks for a value that was not given: a defect in our own code."""


def load_json(name: str, values: Mapping[str, Any] | None = None) -> Any:
    """The JSON document at `name` (`eks/trust-policy.json`), filled in.

    A scalar that is nothing but one placeholder becomes the value itself,
    whatever its type; within a longer text the value must be a string or an
    integer. Raises `UnknownPlaceholder`.
    """
    return _load(name, values, json.loads)


def load_yaml(name: str, values: Mapping[str, Any] | None = None) -> Any:
    """The same for a YAML document. Raises `UnknownPlaceholder`."""
    return _load(name, values, _yaml)


def load_program(name: str) -> dict[str, str]:
    """The modules of the Python package at `name`, text by file name."""
    found = files(__name__).joinpath(name).iterdir()
    return {item.name: item.read_text("utf-8") for item in found if item.name.endswith(".py")}


def _load(name: str, values: Mapping[str, Any] | None, parse: Callable[[str], Any]) -> Any:
    return _fill(_parsed(name, parse), values or {}, name)


@cache
def _parsed(name: str, parse: Callable[[str], Any]) -> Any:
    """As it stands there. Filling it in makes another, so one is enough."""
    return parse(files(__name__).joinpath(*name.split("/")).read_text(encoding="utf-8"))


def _yaml(text: str) -> Any:
    # libyaml's parser where there is one: several times as fast, and as safe.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader)  # noqa: S506


def _fill(node: Any, values: Mapping[str, Any], name: str) -> Any:
    if isinstance(node, dict):
        return {_text(key, values, name): _fill(item, values, name) for key, item in node.items()}
    if isinstance(node, list):
        return [_fill(item, values, name) for item in node]
    if not isinstance(node, str):
        return node
    alone = _PLACEHOLDER.fullmatch(node)
    return _value(alone[1], values, name) if alone else _text(node, values, name)


def _text(scalar: Any, values: Mapping[str, Any], name: str) -> Any:
    if not isinstance(scalar, str):
        return scalar

    def put(match: re.Match[str]) -> str:
        value = _value(match[1], values, name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise TypeError(f"{name}: ${{{match[1]}}} stands inside a text and is not one")
        return str(value)

    return _PLACEHOLDER.sub(put, scalar)


def _value(key: str, values: Mapping[str, Any], name: str) -> Any:
    try:
        return values[key]
    except KeyError:
        raise UnknownPlaceholder(f"{name}: no value for ${{{key}}}") from None
