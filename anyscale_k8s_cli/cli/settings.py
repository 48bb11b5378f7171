"""From options to settings: values by the dotted path of the spec's field they set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli.options import Sets


def from_options(options: Any) -> dict[str, Any]:
    """What was said; options that were not given are absent.

    Raises `usage` for a `--tag` and its like that are no pair, and `invalid-spec` for a
    `--values` file that cannot be read.
    """
    found: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        path = set_by(field)
        if path and value not in (None, []):
            found[path] = _CONVERTERS.get(path, _as_given)(value)
    return found


def typed(options: Any, *, without: Sequence[str] = ()) -> list[str]:
    """The words for options that are no part of the spec, as far as they differ from none."""
    words: list[str] = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value and field.name not in without:
            words.append(f"--{field.name.replace('_', '-')}")
            words += [] if value is True else [str(value)]
    return words


def set_by(field: dataclasses.Field[Any]) -> str | None:
    """The path that an option sets; None for options that are not part of the spec."""
    marks = getattr(field.type, "__metadata__", ())
    return next((mark.path for mark in marks if isinstance(mark, Sets)), None)


def help_by_path(options: type[Any]) -> dict[str, str]:
    """What the option of a field says of it, by the field's path."""
    found = {}
    for field in dataclasses.fields(options):
        path, marks = set_by(field), getattr(field.type, "__metadata__", ())
        told = next((mark.help for mark in marks if getattr(mark, "help", None)), None)
        if path and told:
            found[path] = told.replace(" Repeatable.", "")
    return found


def pairs(texts: Sequence[str], flag: str = "--tag") -> dict[str, str]:
    """`KEY=VALUE` texts as a mapping; a value may hold further equals signs."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise errors.CliError(
                errors.USAGE,
                f"{flag}: {text!r} is not KEY=VALUE",
                fix=f"write for example {flag} team=ml",
            )
        if found.get(key, value) != value:
            raise errors.CliError(errors.USAGE, f"{flag}: {key!r} is given twice, with two values")
        found[key] = value
    return found


def listed(texts: Sequence[str]) -> list[str]:
    """Words that are given one by one or with commas between them."""
    return [word.strip() for text in texts for word in text.split(",") if word.strip()]


def helm_values(files: Sequence[Path]) -> dict[str, Any]:
    """The files merged in their order, mappings key by key and all else replaced, as helm does."""
    merged: dict[str, Any] = {}
    for file in files:
        merged = _merged(merged, _read_values(file))
    return merged


def _read_values(file: Path) -> Mapping[str, Any]:
    import yaml

    from anyscale_k8s_cli.spec_loading import where_wrong, without_path

    wanted = "give a YAML file with values of the operator's chart"
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"--values: cannot read {file}",
            cause=without_path(problem),
            fix=wanted,
        ) from problem
    except yaml.YAMLError as problem:
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"--values: {file} is not valid YAML",
            cause=where_wrong(problem),
            fix=wanted,
        ) from problem
    if document is None:
        return {}
    if not isinstance(document, Mapping):
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"--values: {file} holds no Helm values",
            cause=f"expected a mapping, found {type(document).__name__}",
            fix=wanted,
        )
    return document


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return result


def _as_given(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "rules.tags": pairs,
    "operator.values": helm_values,
    "existing.zones": listed,
    "pods.annotations": partial(pairs, flag="--pod-annotation"),
    "pods.labels": partial(pairs, flag="--pod-label"),
    "pods.no_proxy": listed,
    "pods.node_selector": partial(pairs, flag="--node-selector"),
}
