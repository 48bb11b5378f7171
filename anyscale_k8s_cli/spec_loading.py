"""Reading a spec: flags, file and environment merged, and what is wrong told for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.pod_words import LABEL_KEY, LABEL_VALUE, OBJECT_NAME, REGISTRY
from anyscale_k8s_cli.spec import CloudSpec, Scope, Settings, flags_by_path, leaves


class Source(StrEnum):
    """Where a value came from, weakest first."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    FILE = "file"
    FLAG = "flag"


@dataclass(frozen=True)
class LoadedSpec:
    """A valid spec, and where each value that is not a default came from.

    `variables` names the variable behind each value from the environment.
    """

    spec: CloudSpec
    sources: Mapping[str, Source]
    variables: Mapping[str, str] = field(default_factory=dict)

    def source(self, path: str) -> Source:
        return self.sources.get(path, Source.DEFAULT)


def load(*, flags: Settings, file: Path | None, environment: Settings) -> LoadedSpec:
    """Merge what was said and validate it.

    Raises `invalid-spec` that names each wrong field with the flag or key that
    sets it and what would be accepted, and `missing-input` for what is missing.
    """
    document = read_file(file) if file else {}
    merged: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    layers = (
        (Source.ENVIRONMENT, environment),
        (Source.FILE, dict(leaves(document))),
        (Source.FLAG, flags),
    )
    for source, settings in layers:
        for path, value in settings.items():
            if value is not None:
                _put(merged, path, value)
                sources[path] = source
    try:
        return LoadedSpec(CloudSpec.model_validate(merged), sources)
    except ValidationError as problem:
        raise _refusal(problem, sources, file) from None


def load_scope(flags: Settings) -> Scope:
    """What narrows a search. Raises `invalid-spec` as :func:`load` does."""
    merged: dict[str, Any] = {}
    for path, value in flags.items():
        if value is not None:
            _put(merged, path, value)
    try:
        return Scope.model_validate(merged)
    except ValidationError as problem:
        raise _refusal(problem, dict.fromkeys(flags, Source.FLAG), None) from None


def check(*, flags: Settings, file: Path | None) -> None:
    """Refuse what was said wrong; what is missing may be said by the environment.

    Raises `invalid-spec`.
    """
    try:
        load(flags=flags, file=file, environment={})
    except errors.CliError as problem:
        if problem.code is not errors.MISSING_INPUT:
            raise


def refuse(wrong: Iterable[str], page: str) -> None:
    """Raise `invalid-spec` with all that is wrong, a line each; nothing if nothing is.

    `page` is the one that tells what is accepted.
    """
    lines = tuple(wrong)
    if lines:
        raise errors.CliError(
            errors.INVALID_SPEC,
            lines[0] if len(lines) == 1 else f"{len(lines)} values are wrong",
            evidence=lines if len(lines) > 1 else (),
            fix=f"see {page} for what is accepted",
        )


class FileKind(NamedTuple):
    """What a file is for: the option that names it, as one types that, and its page."""

    what: str
    option: str
    example: str
    page: str


CLOUD_FILE = FileKind("cloud", "--file", "-f cloud.yaml", "docs/cloud-yaml.md")


def read_file(path: Path) -> dict[str, Any]:
    """The mapping in a `cloud.yaml`. Raises `invalid-spec` for anything else."""
    document = read_mapping(path, CLOUD_FILE)
    if _looks_like_helm_values(document):
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"{path} is a Helm values file, not a cloud.yaml",
            cause="it has the operator chart's keys " + ", ".join(sorted(document)[:4]),
            fix=f"did you mean --values {path}?",
        )
    return document


def read_mapping(path: Path, kind: FileKind) -> dict[str, Any]:
    """The keys and values in a YAML file. Raises `invalid-spec` for anything else."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"{kind.option}: cannot read {path}",
            cause=without_path(problem),
            fix=f"give the name of a file that is there, such as {kind.example}",
        ) from problem
    try:
        document = yaml.load(text, _Strict)  # noqa: S506 - safe: it only refuses more
    except yaml.YAMLError as problem:
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"{path} is not valid YAML",
            cause=where_wrong(problem),
            fix=f"correct {path}; {kind.page} has whole examples",
        ) from problem
    if not isinstance(document, dict):
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"{path} holds no {kind.what}",
            cause=f"expected keys and their values, found {_kind(document)}",
            fix=f"see {kind.page} for the fields",
        )
    return document


class _Strict(yaml.SafeLoader):
    """Refuses a key that is there twice, where YAML's own would let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is there twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def where_wrong(problem: yaml.YAMLError) -> str:
    """What the parser stumbled over, and where, on one line."""
    mark = getattr(problem, "problem_mark", None)
    text = str(getattr(problem, "problem", "") or problem)
    return f"line {mark.line + 1}, column {mark.column + 1}: {text}" if mark else text


def without_path(problem: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read; which one is told anyway."""
    return problem.strerror or str(problem) if isinstance(problem, OSError) else str(problem)


def _looks_like_helm_values(document: Mapping[str, Any]) -> bool:
    # Top-level keys of the operator chart that no cloud.yaml has.
    chart_keys = {"global", "networking", "workloads", "credentialMount", "patches"}
    return bool(chart_keys & set(document)) and not {"provider", "name"} & set(document)


def nested(settings: Settings) -> dict[str, Any]:
    """The document that has these values at their paths: the reverse of `leaves`."""
    document: dict[str, Any] = {}
    for path, value in settings.items():
        _put(document, path, value)
    return document


def _put(document: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        inner = document.get(parent)
        if not isinstance(inner, dict):
            inner = document[parent] = {}
        document = inner
    document[last] = value


def _refusal(
    problem: ValidationError, sources: Mapping[str, Source], file: Path | None
) -> errors.CliError:
    flags = flags_by_path()
    found = problem.errors()
    missing = [item for item in found if item["type"] == "missing"]
    if missing and len(missing) == len(found):
        wanted = [_place(item, flags, Source.FLAG, file) for item in missing]
        return errors.CliError(
            errors.MISSING_INPUT,
            f"Missing: {', '.join(wanted)}",
            fix=f"give {' and '.join(wanted)}, or set them in a file given with -f",
        )
    lines = []
    for item in found:
        # What is missing is told by its flag, the shortest way to say it.
        source = Source.FLAG if item in missing else _source_of(item, sources)
        place = _place(item, flags, source, file)
        lines.append(": ".join(filter(None, (place, explain(item)))))
    return errors.CliError(
        errors.INVALID_SPEC,
        f"{lines[0]}" if len(lines) == 1 else f"{len(lines)} fields are wrong",
        evidence=tuple(lines) if len(lines) > 1 else (),
        fix="see `anyscale cloud setup --help` and docs/cloud-yaml.md for what is accepted",
        details={"fields": [".".join(str(p) for p in item["loc"]) for item in found]},
    )


def _source_of(item: ErrorDetails, sources: Mapping[str, Source]) -> Source:
    """Where the wrong value was said: of a member, where the whole was."""
    parts = [str(part) for part in item["loc"]]
    while parts:
        source = sources.get(".".join(parts))
        if source is not None:
            return source
        parts.pop()
    return Source.FILE


def _place(
    item: ErrorDetails, flags: Mapping[str, str | None], source: Source, file: Path | None
) -> str:
    """What was typed: the option that sets it, or its place in the file.

    Nothing for what several options say together: what is wrong with them names each.
    """
    # pydantic's mark of a key that is wrong, where the key itself is told already.
    parts = [part for part in item["loc"] if isinstance(part, str) and part != "[key]"]
    path = ".".join(parts)
    flag = next(_above(parts, flags), None)
    if flag and source is not Source.FILE:
        return flag
    if file and source is Source.FILE:
        return f"{path} in {file}" if path else str(file)
    return "" if flag is None and item["type"] == "value_error" else path


def _above(parts: list[str], flags: Mapping[str, str | None]) -> Iterator[str]:
    """The options that set it or the whole that it is a member of, the nearest first."""
    for end in range(len(parts), 0, -1):
        if flag := flags.get(".".join(parts[:end])):
            yield flag


_PATTERNS = {
    r"^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$": (
        "letters, digits, dashes and underscores, beginning and ending with a letter or digit"
    ),
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$": "NAMESPACE/NAME",
    r"^[^\s:/]+:[0-9]{1,5}$": "HOST:PORT",
    r"^([^\s,]+,)?[^\s,]+$": "ADDRESS, or ZONE,ADDRESS",
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$": (
        "lower-case letters, digits and dashes, beginning and ending with a letter or digit"
    ),
    LABEL_KEY: "a key as labels have: letters, digits, dots, dashes, after a domain and /",
    LABEL_VALUE: "a value as labels have: letters, digits, dots, dashes and underscores",
    REGISTRY: "HOST[:PORT][/PATH], without a scheme",
    OBJECT_NAME: "the name of a Secret, without its namespace",
}


def explain(item: ErrorDetails) -> str:
    """What is wrong with a value, and what would be accepted."""
    given = item.get("input")
    context = item.get("ctx") or {}
    if expected := _EXPECTED.get(item["type"]):
        return f"expected {expected}, found {_kind(given)}{_quoted(item)}"
    match item["type"]:
        case "extra_forbidden":
            return f"no such key{_meant(item)}; accepted here: {', '.join(_siblings(item))}"
        case "string_pattern_mismatch":
            pattern = str(context.get("pattern"))
            return f"{given!r} is not accepted; use {_PATTERNS.get(pattern, pattern)}"
        case "string_too_long":
            return f"longer than {context.get('max_length')} characters"
        case "literal_error":
            return f"{given!r} is not one of {context.get('expected')}"
        case _:
            return re.sub(r"^Value error, ", "", item["msg"])


def _quoted(item: ErrorDetails) -> str:
    """How a text is written that YAML takes for something else."""
    given = item.get("input")
    plain = item["type"] == "string_type" and isinstance(given, (bool, int, float, date))
    return f"; write it in quotes: {str(given)!r}" if plain else ""


_EXPECTED = {
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "keys and their values",
    "dataclass_type": "keys and their values",
    "bool_parsing": "true or false",
    "dict_type": "keys and their values",
}
_KINDS: tuple[tuple[Any, str], ...] = (
    (type(None), "nothing"),
    (bool, "the truth value {!r}"),
    ((int, float), "the number {!r}"),
    (str, "the text {!r}"),
    (Mapping, "keys and their values"),
    ((list, tuple), "a list"),
)


def _kind(value: Any) -> str:
    """What a value of a file is, in the words of those who write such files."""
    words = next((words for kind, words in _KINDS if isinstance(value, kind)), "the value {!s}")
    return words.format(value)


def _meant(item: ErrorDetails) -> str:
    """The key that was probably meant: one that is accepted here, else one of its name."""
    key = str(item["loc"][-1])
    near = get_close_matches(key, _siblings(item), n=1)
    if not near:
        ends = {path.rpartition(".")[2]: path for path in flags_by_path()}
        near = [ends[end] for end in get_close_matches(key, ends, n=1)]
    return f" (did you mean {near[0]}?)" if near else ""


def _siblings(item: ErrorDetails) -> list[str]:
    model: type[BaseModel] = CloudSpec
    for part in item["loc"][:-1]:
        info = model.model_fields.get(str(part))
        if info is None or not isinstance(info.annotation, type):
            break
        if issubclass(info.annotation, BaseModel):
            model = info.annotation
    return sorted(model.model_fields)
