"""Writes the parts of the documentation that follow from the code.

    python docs/generate.py

A part stands in its page between `<!-- generated: NAME -->` and `<!-- end -->`;
the schemas of `cloud.yaml` and of a sandbox's world are files of their own. `tests/docs`
compares them with what would be written now.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from textwrap import wrap
from types import ModuleType
from typing import Any

import anyscale_k8s_cli
from anyscale_k8s_cli import errors, events
from anyscale_k8s_cli.absence import absence_of
from anyscale_k8s_cli.checks import Severity, When
from anyscale_k8s_cli.checks.registry import every_check
from anyscale_k8s_cli.cli import main, settings, tree
from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.spec_options import SpecOptions
from anyscale_k8s_cli.cluster.pins import ChartPin, pins
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.features import FEATURES
from anyscale_k8s_cli.operations.workbench import known_fields
from anyscale_k8s_cli.provider_registry import ENTRY_POINTS, PLATFORMS, absences, available, load
from anyscale_k8s_cli.providers import azureblob, federation, gcs, objectstore
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox import worlds
from anyscale_k8s_cli.sandbox.world import World, reader
from anyscale_k8s_cli.spec import CloudSpec, flags_by_path, particular_fields

DOCS = Path(__file__).parent
SCHEMA = DOCS / "schemas" / "cloud.json"
WORLD_SCHEMA = DOCS / "schemas" / "world.json"
_PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Rows = Iterator[tuple[str, ...]]


@functools.cache
def written() -> dict[Path, str]:
    """Every page with a generated part, and the schemas, as they should be."""
    schemas = {SCHEMA: cloud_schema(), WORLD_SCHEMA: world_schema()}
    found = {path: json.dumps(schema, indent=2) + "\n" for path, schema in schemas.items()}
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if _PART.search(text):
            found[page] = _PART.sub(lambda part: part[1] + _PARTS[part[2]]() + part[3], text)
    return found


def _table(heads: tuple[str, ...], rows: Rows) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    cells = (tuple(cell.replace("|", r"\|") for cell in line) for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


# -- the command line -------------------------------------------------------------


def commands() -> str:
    """Every command with its own options; those of every command come once, at the end."""
    built = [(path, command) for path, command in tree.walk(main.Commands) if _acts(command)]
    pages = "".join(_command(path, command) for path, command in built)
    plainest = min((command for _, command in built if _takes_common(command)), key=_number)
    return f"{pages}## Options of every command\n\n{_options(plainest, common=True)}"


def _acts(command: Any) -> bool:
    return not isinstance(command, tree.Branch)


def _takes_common(command: Any) -> bool:
    return all(name in {param.name for param in command.params} for name in _COMMON)


def _number(command: Any) -> int:
    return len(command.params)


def _command(path: tuple[str, ...], command: Any) -> str:
    name = " ".join(("anyscale", *path))
    usage = " ".join((name, *command.collect_usage_pieces(_context(command))))
    examples = "\n".join(line.strip() for line in command.epilog.strip().splitlines())
    shared = "And the [options of every command](#options-of-every-command).\n\n"
    return (
        f"## {name}\n\n{inspect.cleandoc(command.help)}\n\n"
        f"```text\n{usage}\n```\n\n{_options(command, common=False)}"
        f"{shared * _takes_common(command)}```sh\n{examples}\n```\n\n"
    )


def _options(command: Any, *, common: bool) -> str:
    """Tables of options under their headings, either the common ones or the others."""
    context = _context(command)
    panels: dict[str, list[tuple[str, ...]]] = {}
    for param in command.params:
        record = param.get_help_record(context)
        if record is not None and (param.name in _COMMON) == common:
            heading = getattr(param, "rich_help_panel", None) or ""
            panels.setdefault(heading, []).append((f"`{record[0]}`", record[1]))
    return "".join(
        f"{_table((heading or 'Option', 'What it does'), iter(rows))}\n"
        for heading, rows in panels.items()
    )


_COMMON = {field.name for field in dataclasses.fields(Common)}


def _context(command: Any) -> Any:
    return command.context_class(command, info_name=command.name)


# -- platforms ----------------------------------------------------------------------


def made() -> str:
    """What each platform makes outside the cluster, as its provider tells."""
    return _table(("Platform", "What", "Name", "Where", "Rights and roles"), _made())


def _made() -> Rows:
    for name in available():
        install = Install(name, "", "", "", "anyscale-operator", "prod")
        for item in load(name, Run()).makes(install):
            # The id follows from account and cluster.
            shown = item.name.replace(install.id, "<id>")
            rights = "<br>".join(f"`{right}`" for right in item.rights)
            yield f"[{name}](providers/{name}.md)", item.what, f"`{shown}`", item.scope, rights


# -- cloud.yaml ---------------------------------------------------------------------


def fields() -> str:
    """Each key of a `cloud.yaml`, by section."""
    schema = cloud_schema()
    flags = flags_by_path()
    sections: dict[str, list[tuple[str, ...]]] = {}
    for path, kind in _leaves(schema, schema):
        section = path.rpartition(".")[0]
        flag = flags[path]
        row = (
            f"`{path}`",
            f"`{flag}`" if flag else "",
            _accepted(kind),
            json.dumps(kind["default"]) if kind.get("default") not in (None, "", {}, []) else "",
            kind["description"],
        )
        sections.setdefault(section, []).append(row)
    heads = ("Key", "Option", "Accepted", "Default", "Meaning")
    texts = []
    for section, rows in sections.items():
        title = f"`{section}`" if section else "At the top"
        told = _section(schema, section).get("description", "") if section else ""
        about = f"{told}\n\n" if told else ""
        texts.append(f"### {title}\n\n{about}{_table(heads, iter(rows))}")
    return "\n".join(texts)


def cloud_schema() -> dict[str, Any]:
    """JSON Schema of `cloud.yaml`: the model's own, with what the options' help says."""
    schema = CloudSpec.model_json_schema()
    told = settings.help_by_path(SpecOptions)
    for path, kind in _leaves(schema, schema):
        kind.pop("title", None)
        if path in told:
            kind["description"] = told[path]
    for part in schema["$defs"].values():
        part.pop("title", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "cloud.yaml",
    }


def _leaves(
    schema: Mapping[str, Any], part: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, kind in part["properties"].items():
        if "$ref" in kind:
            yield from _leaves(schema, _resolved(schema, kind), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", kind


def _resolved(schema: Mapping[str, Any], kind: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema["$defs"][kind["$ref"].rpartition("/")[2]]
    return found


def _section(schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    part: Mapping[str, Any] = schema
    for name in path.split("."):
        part = _resolved(schema, part["properties"][name])
    return part


def _accepted(kind: Mapping[str, Any]) -> str:
    """What a field takes, in words."""
    if "anyOf" in kind:
        return ", or ".join(_accepted(item) for item in kind["anyOf"] if item["type"] != "null")
    if "enum" in kind:
        return ", ".join(f"`{item}`" for item in kind["enum"])
    if "const" in kind:
        return f"`{kind['const']}`"
    if kind["type"] == "array":
        return "list"
    words = {
        "object": "mapping",
        "number": "seconds",
        "integer": "whole number",
        "boolean": "`true`, `false`",
        "string": "text",
    }
    return "path" if kind.get("format") == "path" else words[kind["type"]]


# -- the sandbox --------------------------------------------------------------------


def ready_worlds() -> str:
    """The worlds that are ready, by what their files say."""
    return _table(
        ("World", "What is in it", "How a setup ends", "With, besides where the cluster is"),
        (
            (f"`{name}`", world.about, _end(world), f"`{more}`" if more else "")
            for name, world in worlds.ready()
            for more in [_besides(world.setup)]
        ),
    )


def _end(world: World) -> str:
    if world.ends == worlds.HEALTHY:
        return world.ends
    return f"[`{world.ends}`](errors.md#{world.ends}){', late' * world.late}"


def _besides(setup: str) -> str:
    return setup.partition(" --name try")[2].strip()


def world_schema() -> dict[str, Any]:
    """JSON Schema of a world's file: the dataclasses' own."""
    schema = reader().json_schema()
    for part in (schema, *schema["$defs"].values()):
        for kind in part.get("properties", {}).values():
            kind.pop("title", None)
        part.pop("title", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "world.yaml",
    }


# -- versions -----------------------------------------------------------------------


def kinds_of_events() -> str:
    """Every kind of event with what it tells."""
    return _table(
        ("Event", "What it tells", "Fields"),
        (
            (
                f"`{kind.name}`",
                " ".join(inspect.cleandoc(kind.__doc__ or "").split()),
                ", ".join(
                    f"`{field.name}`" for field in dataclasses.fields(kind) if field.name != "at"
                ),
            )
            for kind in events.Event.__subclasses__()
        ),
    )


def versions() -> str:
    """The pins, as tables."""
    helm = pins().helm
    texts = [
        _table(
            ("helm", "Version"),
            iter(
                [
                    ("least", helm.minimum),
                    ("tested", ", ".join(helm.tested)),
                    ("downloaded where there is none", helm.download.version),
                    ("in the sandbox, from the package index", helm.wheel.helm),
                ]
            ),
        ),
        _table(
            ("Chart", "Version", "Kubernetes", "Stands on", "From"),
            (_chart(name, chart) for name, chart in pins().charts.items()),
        ),
    ]
    return "\n".join(texts)


def _chart(name: str, chart: ChartPin) -> tuple[str, ...]:
    tested = chart.tested
    newest = f" to {tested.kubernetes.newest}" if tested.kubernetes.newest else " and later"
    stands_on = {"Envoy Gateway": tested.envoy_gateway, "Gateway API": tested.gateway_api}
    return (
        f"`{name}`",
        chart.version,
        f"{tested.kubernetes.minimum}{newest}",
        ", ".join(f"{what} {version}" for what, version in stands_on.items() if version),
        f"`{chart.repository}`",
    )


# -- codes --------------------------------------------------------------------------


def error_codes() -> str:
    """Every code with its exit code."""
    return _table(
        ("Code", "Exit code"),
        (
            (f"[`{code.slug}`](#{code.slug})", str(int(code.exit_code)))
            for code in sorted(registered_errors(), key=lambda code: (code.exit_code, code.slug))
        ),
    )


def registered_errors() -> set[errors.ErrorCode]:
    """The codes of the core and of every provider that is installed."""
    values = (value for module in registers() for value in vars(module).values())
    return {value for value in values if isinstance(value, errors.ErrorCode)}


def registers() -> list[ModuleType]:
    """The modules in which codes are registered."""
    found = [f"{package}.codes" for package in _provider_packages()]
    return [errors, *(importlib.import_module(name) for name in found if find_spec(name))]


def _provider_packages() -> list[str]:
    """The providers that are installed, and what some of them share."""
    shared = (azureblob, federation, gcs, objectstore)
    return [
        *(entry.module for entry in entry_points(group=ENTRY_POINTS)),
        *(package.__name__ for package in shared),
    ]


def checks() -> str:
    """Every check with its page."""
    return _table(
        ("Check", "What it wants", "Asked by", "If it fails"),
        (
            (
                f"[`{check.code}`]({check.code}.md)",
                check.title,
                ", ".join(f"`{_COMMANDS[when]}`" for when in _COMMANDS if when in check.when),
                "stops the command" if check.severity is Severity.FATAL else "is a warning",
            )
            for check in every_check()
        ),
    )


def features() -> str:
    """Every feature with the checks that it stands on first."""
    return _table(
        ("Feature", "In JSON", "Does not work where one of these fails"),
        (
            (
                item.title,
                f"`{item.name}`",
                ", ".join(f"[`{check.code}`](checks/{check.code}.md)" for check in item.needs),
            )
            for item in FEATURES
        ),
    )


def options_of_platforms() -> str:
    """Each option that not every platform has: where it is, and where not the number of why."""
    providers = {name: load(name, Run()) for name in PLATFORMS}
    known = {name: known_fields(provider) for name, provider in providers.items()}
    told = {name: absences(name) for name in PLATFORMS}
    notes: dict[str, int] = {}

    def cell(name: str, path: str) -> str:
        if path in known[name]:
            return "yes"
        absence = absence_of(told[name], path)
        if absence is None:
            raise LookupError(f"{name} does not tell why it has no {path}")
        return f"no ({notes.setdefault(str(absence), len(notes) + 1)})"

    flags = flags_by_path()
    fields = sorted(particular_fields(), key=lambda path: (flags[path] or "~", path))
    rows = [
        (f"`{flags[path] or path}`", *(cell(name, path) for name in PLATFORMS)) for path in fields
    ]
    numbered = "".join(
        "\n".join(
            wrap(
                f"{number}. {text[0].upper()}{text[1:]}.",
                96,
                subsequent_indent="   ",
                break_on_hyphens=False,
            )
        )
        + "\n"
        for text, number in notes.items()
    )
    return f"{_table(('', *PLATFORMS), iter(rows))}\n{numbered}"


_COMMANDS = {
    When.SETUP: "cloud setup",
    When.STATUS: "cloud status",
    When.PROBE: "cloud setup --probe",
    When.VERIFY: "cloud verify",
}


def sources() -> list[Path]:
    """The modules of the core and of every provider that is installed."""
    names = [anyscale_k8s_cli.__name__, *_provider_packages()]
    folders = [Path(str(importlib.import_module(name).__file__)).parent for name in names]
    return sorted({file.resolve() for folder in folders for file in folder.rglob("*.py")})


_PARTS: dict[str, Callable[[], str]] = {
    "checks": checks,
    "commands": commands,
    "error-codes": error_codes,
    "events": kinds_of_events,
    "features": features,
    "fields": fields,
    "made": made,
    "options-of-platforms": options_of_platforms,
    "versions": versions,
    "worlds": ready_worlds,
}


if __name__ == "__main__":
    for page, text in written().items():
        page.write_text(text, encoding="utf-8")
