"""Worlds by name and by file: those that are ready lie beside this, a file each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from anyscale_k8s_cli import errors, spec_loading
from anyscale_k8s_cli.sandbox.world import World, reader

HEALTHY = "HEALTHY"
_SUFFIX = ".yaml"
_FILE = spec_loading.FileKind("world", "--world", "--world world.yaml", "docs/sandbox.md")


@cache
def names() -> tuple[str, ...]:
    """Those that are ready."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)))


def ready() -> Iterator[tuple[str, World]]:
    """Every world that is ready, by its name."""
    for name in names():
        yield name, read(name)


def read(given: str) -> World:
    """A ready world by its name, or the one in a file. Raises `invalid-spec`."""
    path = Path(str(files(__name__))) / f"{given}{_SUFFIX}" if given in names() else Path(given)
    if not path.exists() and path.name == given and not path.suffix:
        raise _unknown(given)
    document = spec_loading.read_mapping(path, _FILE)
    try:
        return reader().validate_python(document)
    except ValidationError as problem:
        found = (f"{_place(item)} in {path}: {_explained(item)}" for item in problem.errors())
        spec_loading.refuse(found, _FILE.page)
        raise


def _unknown(given: str) -> errors.CliError:
    near = get_close_matches(given, names(), n=1)
    return errors.CliError(
        errors.INVALID_SPEC,
        f"There is no world {given!r}",
        cause=f"did you mean {near[0]}?"
        if near
        else "neither a ready one nor a file has that name",
        fix="anyscale sandbox worlds",
    )


def _place(item: ErrorDetails) -> str:
    return ".".join(str(part) for part in item["loc"])


def _explained(item: ErrorDetails) -> str:
    if item["type"] != "unexpected_keyword_argument":
        return spec_loading.explain(item)
    accepted = _keys(item["loc"][:-1])
    near = get_close_matches(str(item["loc"][-1]), accepted, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"no such key{meant}; accepted here: {', '.join(accepted)}"


def _keys(path: tuple[int | str, ...]) -> list[str]:
    """What is accepted at a place of a file."""
    kind: Any = World
    for part in path:
        kind = get_type_hints(kind).get(str(part))
    return sorted(field.name for field in fields(kind)) if is_dataclass(kind) else []
