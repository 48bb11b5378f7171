"""The commands that we print: under the name that was typed, and for the same sandbox."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anyscale_k8s_cli.cli.cloud.plan import following
from anyscale_k8s_cli.cli.options import HelmOptions
from anyscale_k8s_cli.cli.program import as_typed, instead, schema
from anyscale_k8s_cli.cli.spec_options import SetupOptions


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        (["anyscale", "cloud"], "anyscale cloud status prod"),
        (["anyscale-k8s", "cloud"], "anyscale-k8s cloud status prod"),
        (["python", "-m"], "anyscale-k8s cloud status prod"),
        (["anyscale", "cloud", "--sandbox"], "anyscale cloud status --sandbox prod"),
    ],
)
def test_a_command_is_printed_as_it_would_be_typed(
    typed: list[str], printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", typed)

    assert as_typed("anyscale cloud status prod") == printed
    assert as_typed(as_typed("anyscale cloud status prod")) == printed


@pytest.mark.parametrize("more", [[], ["--sandbox"]])
def test_help_is_that_of_the_command_that_was_run(
    more: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["anyscale", "cloud", "plan", *more, "--name", "prod"])

    told = as_typed("see `anyscale cloud setup --help` and docs/cloud-yaml.md")
    assert told == "see `anyscale cloud plan --help` and docs/cloud-yaml.md"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An executable of our name in a folder of its own, called by its whole path."""
    folder = tmp_path / "with blank"
    folder.mkdir()
    script = folder / "anyscale"
    script.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(script), "cloud", "--sandbox"])
    return script


def test_a_command_that_the_shell_would_not_find_is_printed_with_its_path(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(script.parents[1]))
    printed = f"'{script}' cloud status --sandbox prod"

    assert as_typed("anyscale cloud status prod") == printed
    assert as_typed(printed) == printed


def test_a_command_that_the_shell_finds_keeps_its_name(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(script.parents[1]), str(script.parent)]))

    assert as_typed("anyscale cloud status prod") == "anyscale cloud status --sandbox prod"
    monkeypatch.setenv("PATH", "/elsewhere")  # as when a sandbox is attached to
    assert as_typed("anyscale login") == "anyscale login --sandbox"


def test_a_path_is_printed_as_it_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/anyscale", "login"])

    assert as_typed("anyscale login") == ".venv/bin/anyscale login"


def test_what_has_nothing_to_do_with_a_cloud_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["anyscale", "--sandbox"])

    assert as_typed("anyscale sandbox up; anyscale-operator") == (
        "anyscale sandbox up; anyscale-operator"
    )


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        (
            ["cloud", "plan", "--name", "my cloud", "--exit-code"],
            "anyscale cloud setup --name 'my cloud'",
        ),
        (["cloud", "plan", "--sandbox", "-n", "plan"], "anyscale cloud setup -n plan"),
    ],
    ids=["quoted", "in the sandbox"],
)
def test_a_command_becomes_another_of_its_group(typed: list[str], printed: str) -> None:
    assert instead("setup", typed, without=("--exit-code",)) == printed


IN_SHELL = 'eval "$(anyscale sandbox env)" && '
PULL = "helm pull gateway-helm --repo https://127.0.0.1:8443 --version v1.7.0"
LOGS = "kubectl --server https://127.0.0.1:1 logs -n ray deployment/anyscale-operator"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (LOGS, f'eval "$(anyscale sandbox env)" && {LOGS}'),
        (
            f"see with: {LOGS}; end it",
            f'see with: eval "$(anyscale sandbox env)" && {LOGS}; end it',
        ),
        (PULL, f'eval "$(anyscale sandbox env)" && {PULL}'),
        (f"echo '{{\"a\": 1}}' | {LOGS}", f"{IN_SHELL}echo '{{\"a\": 1}}' | {LOGS}"),
        (f"{LOGS} | {LOGS}", f"{IN_SHELL}{LOGS} | {LOGS}"),
        (
            f"do this: anyscale cloud permissions --scope cluster | {LOGS}",
            f"do this: {IN_SHELL}anyscale cloud permissions --sandbox --scope cluster | {LOGS}",
        ),
        (
            f"it's so:\nA=b C='d e' {LOGS}\n{LOGS}; {LOGS}",
            f"it's so:\n{IN_SHELL}A=b C='d e' {LOGS}\n{IN_SHELL}{LOGS}; {IN_SHELL}{LOGS}",
        ),
        (
            f"cat <<'EOF' |\n  {LOGS}\na: 'b'\nEOF\n{LOGS} <<EOF\na\nEOF",
            f"{IN_SHELL}cat <<'EOF' |\n  {LOGS}\na: 'b'\nEOF\n{IN_SHELL}{LOGS} <<EOF\na\nEOF",
        ),
        ("helm pull oci://mirror.example/x", "helm pull oci://mirror.example/x"),
        ("anyscale mirror list --fetch", "anyscale mirror list --sandbox --fetch"),
        ("helm installed ray/x", "helm installed ray/x"),
        ("unset ANYSCALE_CLI_TOKEN && anyscale login", "anyscale sandbox mend token"),
    ],
)
def test_what_a_shell_could_not_do_in_a_sandbox_is_printed_so_that_it_can(
    text: str, printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["anyscale", "cloud", "status", "--sandbox"])
    assert as_typed(text) == printed
    assert as_typed(printed) == printed
    monkeypatch.setattr("sys.argv", ["anyscale", "cloud", "status"])
    assert as_typed(text) == text


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (["cloud", "plan", "--nmae", "x"], "plan"),
        (["sandbox", "up"], "sandbox-up"),
        (["mirror", "list", "--fetchh"], "mirror"),
        (["--halp"], "usage"),
    ],
)
def test_what_was_typed_wrongly_has_the_form_of_what_was_meant(typed: list[str], name: str) -> None:
    assert schema(typed) == f"anyscale-k8s/{name}/v1"


@pytest.mark.parametrize(
    ("more", "printed"),
    [
        (SetupOptions(overwrite=True, upgrade=True), "--upgrade"),
        (
            SetupOptions(overwrite=True, values_file=Path("v.yaml")),
            "--values-file v.yaml --overwrite",
        ),
    ],
    ids=["of the plan", "of the values"],
)
def test_a_saved_plan_that_replaced_a_file_lets_setup_replace_none(
    more: SetupOptions, printed: str
) -> None:
    assert following(Path("p"), more, HelmOptions()) == f"anyscale cloud setup --plan p {printed}"
