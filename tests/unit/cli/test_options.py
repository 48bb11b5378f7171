"""Options and the fields of the spec that they set."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from anyscale_k8s_cli import errors, provider_registry, spec
from anyscale_k8s_cli.cli import main, options, place_options, settings, tree
from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.place_options import SearchOptions
from anyscale_k8s_cli.cli.spec_options import SetupOptions, SpecOptions


def flags_of(group: type[Any]) -> dict[str, str]:
    """The paths that a group's options set, with their options' first names."""
    found = {}
    for field in dataclasses.fields(group):
        path = settings.set_by(field)
        if path:
            found[path] = field.type.__metadata__[0].default
    return found


def test_every_field_of_the_spec_has_its_option() -> None:
    wanted = {path: flag for path, flag in spec.flags_by_path().items() if flag}

    assert flags_of(SpecOptions) == wanted


def test_search_options_are_options_of_the_spec() -> None:
    assert flags_of(SearchOptions).items() <= flags_of(SpecOptions).items()


def test_no_option_stands_for_two_things() -> None:
    names = [
        decl
        for group in (SpecOptions, SetupOptions, Common)
        for field in dataclasses.fields(group)
        for decl in (field.type.__metadata__[0].default, *field.type.__metadata__[0].param_decls)
    ]

    assert len(names) == len(set(names))


def test_no_command_has_an_option_for_a_secret() -> None:
    secret = re.compile(r"token|secret|password|key(?!-)$")
    names = {
        name
        for _, command in tree.walk(main.Commands)
        for param in command.params
        for name in param.opts
        if name.startswith("-")  # the key of an object is an argument of `cloud explain`
    }

    # Names of a key and of a Secret, whether keys or the caller's token may be used, how long
    # a token lives.
    assert {name for name in names if secret.search(name)} <= {
        *("--kms-key", "--azure-shared-key"),
        *("--use-my-token", "--token-lifetime", "--image-pull-secret"),
    }


def test_what_was_not_said_is_absent() -> None:
    assert settings.from_options(SpecOptions()) == {}


def test_what_was_said_is_found_by_its_path() -> None:
    said = SpecOptions(
        provider="eks",
        cluster_name="demo",
        allow_cidr=["203.0.113.0/24"],
        tag=["team=ml", "note=a=b"],
        kubeconfig=Path("kube"),
    )

    assert settings.from_options(said) == {
        "provider": "eks",
        "cluster.name": "demo",
        "cluster.kubeconfig": Path("kube"),
        "network.allow_cidrs": ("203.0.113.0/24",),
        "rules.tags": {"team": "ml", "note": "a=b"},
    }


@pytest.mark.parametrize("tag", ["team", "=ml", ""])
def test_a_tag_is_a_pair(tag: str) -> None:
    with pytest.raises(errors.CliError, match="is not KEY=VALUE"):
        settings.pairs([tag])


def test_a_tag_has_one_value() -> None:
    assert settings.pairs(["a=1", "a=1"]) == {"a": "1"}
    with pytest.raises(errors.CliError, match="'a' is given twice"):
        settings.pairs(["a=1", "a=2"])


def test_values_files_are_merged_as_helm_merges(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("a: {x: 1, list: [1, 2], gone: 1}\nb: 1\n", encoding="utf-8")
    second.write_text("a: {y: 2, list: [3], gone: null}\n", encoding="utf-8")

    merged = settings.helm_values([first, second])

    assert merged == {"a": {"x": 1, "y": 2, "list": [3], "gone": None}, "b": 1}


@pytest.mark.parametrize("content", ["[1]", "{", "text"])
def test_values_files_hold_mappings(content: str, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(errors.CliError) as caught:
        settings.helm_values([file])
    assert caught.value.code is errors.INVALID_SPEC
    assert str(file) in caught.value.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2h", 7200), ("45", 45), ("1H", 3600)],
)
def test_times(text: str, seconds: float) -> None:
    assert options._seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "m", "-1", "1.5h", "30 m", "soon"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a time"):
        options._seconds(text)


def test_the_help_offers_the_platforms_that_there_are() -> None:
    help = place_options.Provider.__metadata__[0].help  # type: ignore[attr-defined]
    first, _, others = help.partition("; ")

    assert sorted(re.split(r", | or ", first)) == provider_registry.available()
    assert others == "aws, gcp and azure work too."
    assert list(provider_registry.VENDOR_NAMES) == ["aws", "gcp", "azure"]
