"""What a person said of a cloud: kept in its ledger, and as the command that says it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.errors import FILE, FILES
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.requests import SetupRequest
from anyscale_k8s_cli.operations.workbench import ENVIRONMENT, searched_spec
from anyscale_k8s_cli.provider import Provider
from anyscale_k8s_cli.spec import (
    CloudSpec,
    Scope,
    Settings,
    flags_by_path,
    leaves,
    scope_options,
)
from anyscale_k8s_cli.spec_loading import LoadedSpec, Source, nested

# Helm values may hold secrets, and bundles of authorities are long.
_NOT_KEPT = frozenset(
    {
        "operator.values",
        "addons.gateway.values",
        "addons.nginx.values",
        "addons.gpu_plugin.values",
        "pods.ca_bundle",
    }
)
# Files of this machine, whose content the cluster has.
_OF_THIS_MACHINE = frozenset({"credentials.google_key_file"})
_FIRST = ("provider", "region", "cluster.name", "name")
OPTIONS_UNKNOWN = "add those of your last setup: its options are not known here"
# What plan does not take.
_OF_SETUP_ALONE = ("--yes", "-y", "--dry-run")
# Settings that change nothing of what is there.
_OF_NO_OBJECT = ("probe.", "timeouts.", "waive", "version")


def settings_of(loaded: LoadedSpec) -> dict[str, Any]:
    """What was said, by dotted path, without what may be secret.

    What a variable of ours said is not among it: whoever set it up has it set. Nor is a
    file that nobody needs any more.
    """
    said = leaves(loaded.spec.model_dump(mode="json", exclude_defaults=True))
    return {
        path: None if path in _NOT_KEPT else value
        for path, value in said
        if path not in _OF_THIS_MACHINE
        and not (path in ENVIRONMENT and loaded.source(path) is Source.ENVIRONMENT)
    }


def located(spec: CloudSpec) -> dict[str, Any]:
    """The settings of a spec that was put together to find a cluster."""
    return dict(leaves(spec.model_dump(mode="json", exclude_defaults=True)))


def whereabouts_of(provider: Provider, install: Install) -> CloudSpec:
    """The spec that leads to an install again; what has no cluster yet has its names alone."""
    if install.cluster:
        return provider.locate(install)
    return CloudSpec(
        provider=install.provider,
        name=install.cloud,
        region=install.region or None,
        namespace=install.namespace,
    )


def spec_of(settings: Settings) -> CloudSpec:
    """The spec again, as far as it was kept."""
    return CloudSpec.model_validate(nested(without_secrets(settings)))


def without_contents(settings: Settings) -> dict[str, Any]:
    """The settings, where of the contents of a file no more is told than that it was given."""
    return {path: None if path in _NOT_KEPT else value for path, value in settings.items()}


def without_secrets(settings: Settings) -> dict[str, Any]:
    """The settings whose values are known."""
    return {path: value for path, value in settings.items() if value is not None}


def setup_command(
    settings: Settings, file: Path | None = None, command: str = "anyscale cloud setup"
) -> str:
    """The setup that says all this, to paste into a shell; more is said by `file`.

    What only a file of the user's can say is in `FILE`, as `from_files` explains. It may be
    another `command` that takes the same.
    """
    flags = flags_by_path()
    words = command.split()
    if file or of_file(settings):
        words += ["-f", str(file or FILE)]
    for path in sorted(settings, key=lambda path: (path not in _FIRST, _place(path))):
        flag = flags.get(path)
        if flag and _matters(path):
            words += _said(flag, settings[path])
    return shlex.join(words)


def said_again(typed: Sequence[str], settings: Settings, file: Path | None = None) -> str:
    """What was typed and these settings besides, in place of what it said of them.

    All else of it stays: what is meant for one run alone, too. What only a file can say is
    in `file`, which the command need not have named.
    """
    flags = flags_by_path()
    paths = sorted(settings, key=_place)
    told = {flag: settings[path] for path in paths if (flag := flags.get(path))}
    words = _without(typed, told)
    for flag, value in told.items():
        words += _said(flag, value)
    return shlex.join([*words, *(("-f", str(file)) if file else ())])


def command_of(request: SetupRequest) -> list[str]:
    """The words that say it again; by a saved plan, those that make another in its place."""
    if request.saved_plan is None:
        return list(request.typed) or shlex.split(setup_command(request.flags, request.file))
    flags, spec = flags_by_path(), without_contents(request.flags)
    words = shlex.split(setup_command(spec, None, "anyscale cloud plan"))
    for path in filter(flags.get, spec):
        if not _matters(path):
            words += _said(str(flags[path]), spec[path])
    kept = [word for word in request.typed[3:] if word not in _OF_SETUP_ALONE]
    return [*words, *_without(kept, {"--plan": ""}), "--out", str(request.saved_plan)]


def _without(words: Sequence[str], told: Mapping[str, Any]) -> list[str]:
    """The words without these options and their values."""
    kept, rest = [], iter(words)
    for word in rest:
        option, equals, _ = word.partition("=")
        if option not in told:
            kept.append(word)
        elif not equals and not isinstance(told[option], bool):
            next(rest, None)
    return kept


def of_unknown_options(settings: Settings, command: str = "anyscale cloud setup") -> str:
    """The setup where nobody knows any more with which options it was: never to be run as it is.

    It may be another `command` that takes the same.
    """
    return f"{setup_command(settings, command=command)}  # {OPTIONS_UNKNOWN}"


def on_install(command: str, provider: Provider, install: Install, scope: Scope) -> str:
    """A command with all that leads to an install, with no registration too."""
    spec = searched_spec(whereabouts_of(provider, install), scope)
    return f"{command} {shlex.quote(install.cloud)} {scope_options(spec)}"


def of_file(settings: Settings) -> list[str]:
    """The paths that no flag can say."""
    flags = flags_by_path()
    return [path for path in settings if not flags.get(path) and _matters(path)]


def from_files(settings: Settings) -> Iterator[str]:
    """What `FILE` in the command stands for: how the user's own are called is not known."""
    if in_file := of_file(settings):
        yield f"-f {FILE} stands for a file of yours that says {', '.join(sorted(in_file))}"
    if settings.get("operator.values", ...) is None:
        yield FILES["--values"]
    if settings.get("pods.ca_bundle", ...) is None:
        yield FILES["--ca-bundle"]


def option(path: str, value: Any) -> str:
    """One setting as it is typed, or the key that only a file has."""
    flag = flags_by_path().get(path)
    return shlex.join(_said(flag, value)) if flag else path


def _place(path: str) -> int:
    order = (*_FIRST, *flags_by_path())
    return order.index(path) if path in order else len(order)


def _matters(path: str) -> bool:
    return not path.startswith(_OF_NO_OBJECT)


def _said(flag: str, value: Any) -> Iterator[str]:
    if value is None:
        yield from (flag, FILE)
    elif isinstance(value, bool):
        # Such an option is given or not; that it was not goes without saying.
        yield from (flag,) if value else ()
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from (flag, f"{key}={item}")
    elif isinstance(value, list | tuple):
        for item in value:
            yield from (flag, str(item))
    else:
        yield from (flag, str(value))
