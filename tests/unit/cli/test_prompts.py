"""Questions: which, in which order, and when none may be asked."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors, operations, provider_registry
from anyscale_k8s_cli.cli import console, prompts
from anyscale_k8s_cli.operations.requests import DeleteRequest, HelmChoice, SetupRequest

from . import samples, toys
from .conftest import Invoke

WHERE = ("--provider", "eks", "--region", "us-west-2", "--cluster-name", "demo")
SETUP = ("cloud", "setup", *WHERE, "--name", "prod")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A person at a terminal, who types what the test writes here."""
    typed = io.StringIO()
    monkeypatch.setattr(console, "can_ask", lambda: True)
    monkeypatch.setattr("sys.stdin", typed)
    return typed


def type_(answers: io.StringIO, *lines: str) -> None:
    answers.write("".join(f"{line}\n" for line in lines))
    answers.seek(0)


def test_without_a_terminal_every_missing_option_is_named(invoke: Invoke) -> None:
    ended = invoke("cloud", "setup", "--yes", "-o", "json")

    error = json.loads(ended.out)["error"]
    assert ended.code == 1
    assert error["code"] == "missing-input"
    assert error["message"] == "Missing: --provider, --cluster-name, --name"
    assert error["fix"] == "add --provider eks and --cluster-name NAME and --name NAME"


def test_with_yes_nothing_is_asked(invoke: Invoke, answers: io.StringIO) -> None:
    ended = invoke("cloud", "setup", "--yes")

    assert ended.code == 1
    assert "Missing: --provider, --cluster-name, --name" in ended.err
    assert ended.out == ""


def test_a_context_names_a_cluster_too() -> None:
    settings = {"provider": "generic", "name": "prod", "cluster.context": "lab"}

    assert prompts.fill_in(settings, {}, {}, may_ask=False) == settings


def test_the_file_may_say_it(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    operation = toys.of_setup()
    toys.instead_of_setup(monkeypatch, operation)
    with open("cloud.yaml", "w", encoding="utf-8") as file:
        file.write("provider: eks\nname: prod\ncluster: {name: demo}\n")

    assert invoke("cloud", "setup", "-f", "cloud.yaml", "--yes").code == 0
    assert isinstance(operation.request, SetupRequest)
    assert operation.request.flags == {}


def test_questions_come_in_the_order_in_which_one_thinks(
    invoke: Invoke, answers: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_setup()
    toys.instead_of_setup(monkeypatch, operation)
    monkeypatch.setattr(provider_registry, "available", lambda: ["eks", "generic"])
    type_(answers, "eks", "us-west-2", "demo", "prod", "y")

    ended = invoke("cloud", "setup")

    asked = [
        "Platform (--provider), one of eks, generic: ",
        "Region (--region): ",
        "Name of the cluster (--cluster-name): ",
        "Name for the Anyscale cloud (--name): ",
        "Make 5 changes? [y/N]: ",
    ]
    places = [ended.err.find(question) for question in asked]
    assert ended.code == 0
    assert ended.out.startswith("\n✓ Cloud prod is HEALTHY")
    assert -1 not in places
    assert places == sorted(places)
    assert isinstance(operation.request, SetupRequest)
    assert operation.request.flags == {
        "provider": "eks",
        "region": "us-west-2",
        "cluster.name": "demo",
        "name": "prod",
    }


@pytest.mark.parametrize(
    ("contexts", "question"),
    [
        (["lab", "office"], "Context of your kubeconfig (--context), one of lab, office: "),
        (["lab"], "Context of your kubeconfig (--context) [lab]: "),
        ([], "Context of your kubeconfig (--context): "),
    ],
    ids=["some", "one", "none"],
)
def test_the_clusters_that_there_are_are_offered(
    contexts: list[str], question: str, answers: io.StringIO, tmp_path: Path
) -> None:
    kubeconfig = tmp_path / "config"
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}
    named = [{"name": name, "context": {"cluster": "c", "user": ""}} for name in contexts]
    kubeconfig.write_text(json.dumps({"clusters": [cluster], "contexts": named}))
    type_(answers, "lab", "prod")
    said = {"provider": "generic", "region": "here", "cluster.kubeconfig": kubeconfig}
    shown = io.StringIO()

    with contextlib.redirect_stderr(shown):
        filled = prompts.fill_in(
            said, {}, {"AWS_ACCESS_KEY_ID": "set", "AWS_SECRET_ACCESS_KEY": "set"}, may_ask=True
        )

    assert question in shown.getvalue()
    assert (filled["cluster.context"], filled["name"]) == ("lab", "prod")


def test_an_empty_answer_is_asked_again_and_the_end_of_input_ends_it(
    invoke: Invoke, answers: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_(answers, "", "")

    ended = invoke("cloud", "setup", *WHERE)

    assert ended.err.count("Name for the Anyscale cloud (--name): ") == 3
    assert ended.code == 130


def test_account_cluster_and_endpoint_are_shown_before_the_question(
    invoke: Invoke, answers: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.instead_of_setup(monkeypatch, toys.of_setup())
    type_(answers, "y")

    shown, question, _ = invoke(*SETUP).err.partition("Make 5 changes?")

    assert question
    for key in ("account", "cluster", "endpoint", "cluster_uid"):
        assert samples.HEADER[key] in shown
    assert "PUBLIC" in shown


def test_no_means_that_nothing_happens(
    invoke: Invoke, answers: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_setup()
    toys.instead_of_setup(monkeypatch, operation)
    type_(answers, "n")

    ended = invoke(*SETUP)

    assert ended.code == 5
    assert "✗ Not confirmed\n  cause: nothing was changed\n" in ended.err
    assert operation.calls == ["plan"]


def test_nothing_to_change_asks_nothing(
    invoke: Invoke, answers: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_setup()
    operation.found.document["summary"] = samples.summary(none=4)
    toys.instead_of_setup(monkeypatch, operation)

    assert invoke(*SETUP).code == 0
    assert operation.calls == ["plan", "apply"]


@pytest.mark.parametrize("arguments", [SETUP, ("cloud", "delete", "prod")], ids=["setup", "delete"])
def test_without_a_terminal_a_yes_is_needed_before_any_work(
    arguments: tuple[str, ...], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, teardown = toys.of_setup(), toys.of_delete()
    toys.instead_of_setup(monkeypatch, setup)
    toys.instead_of_delete(monkeypatch, teardown)

    ended = invoke(*arguments)

    assert ended.code == 5
    assert "needs a yes, and there is no terminal to ask at" in ended.err
    assert "add --yes" in ended.err
    assert setup.calls == teardown.calls == []


@pytest.mark.parametrize("text", [None, "name: [", "- a"], ids=["missing", "broken", "a list"])
def test_a_file_that_is_wrong_is_told_before_the_missing_yes(
    text: str | None, invoke: Invoke, tmp_path: Path
) -> None:
    file = tmp_path / "d.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")

    ended = invoke("cloud", "setup", "-f", str(file))

    assert ended.code == 1
    assert "invalid-spec" in ended.err
    assert "--yes" not in ended.err


def test_a_dry_run_of_setup_is_a_plan(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = toys.of_setup()
    toys.instead_of_setup(monkeypatch, operation)

    ended = invoke(*SETUP, "--dry-run", "-o", "json")

    assert ended.code == 0
    assert operation.calls == ["plan"]
    assert json.loads(ended.out) == {**samples.plan(), "schema": "anyscale-k8s/setup/v1"}


def test_a_refused_plan_is_shown_and_not_done(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_setup()
    refused = errors.CliError(errors.FOREIGN_OBJECT, "The bucket cannot be used").as_json()
    operation.found.document["error"] = refused
    toys.instead_of_setup(monkeypatch, operation)

    ended = invoke(*SETUP, "--yes")

    assert ended.code == 5
    assert "Plan\n" in ended.out
    assert "✗ The bucket cannot be used" in ended.err
    assert operation.calls == ["plan"]


def test_a_saved_plan_takes_no_other_settings(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_setup()
    toys.instead_of_setup(monkeypatch, operation)

    refused = invoke(*SETUP, "--plan", "a.plan", "--yes")
    done = invoke("cloud", "setup", "--plan", "a.plan", "--yes")

    assert refused.code == 1
    assert "--plan takes no other settings" in refused.err
    assert done.code == 0
    assert isinstance(operation.request, SetupRequest)
    assert str(operation.request.saved_plan) == "a.plan"


def test_the_helm_that_is_named_reaches_setup_and_delete(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting_up, deleting = toys.of_setup(), toys.of_delete()
    toys.instead_of_setup(monkeypatch, setting_up)
    toys.instead_of_delete(monkeypatch, deleting)

    invoke(*SETUP, "--yes", "--helm", "my/helm")
    invoke("cloud", "delete", "prod", "--yes", "--helm-from-index")

    assert isinstance(setting_up.request, SetupRequest)
    assert setting_up.request.helm == HelmChoice(named=Path("my/helm"))
    assert isinstance(deleting.request, DeleteRequest)
    assert deleting.request.helm == HelmChoice(from_index=True)


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        (
            ("cloud", "plan", *SETUP[2:], "--expose", "internal", "--exit-code"),
            "--provider eks --region us-west-2 --cluster-name demo --name prod --expose internal",
        ),
        (("cloud", "plan", *SETUP[2:], "--out", "a.plan"), "--plan a.plan"),
        (
            (*SETUP, "--expose", "internal", "--dry-run"),
            "--provider eks --region us-west-2 --cluster-name demo --name prod --expose internal",
        ),
    ],
    ids=["plan", "saved plan", "dry run"],
)
def test_a_plan_ends_with_the_command_that_makes_it_true(
    typed: tuple[str, ...], command: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    toys.instead_of_setup(monkeypatch, toys.of_setup())

    assert invoke(*typed).out.endswith(f"\nNext\n  anyscale cloud setup {command}\n")


def test_a_plan_without_changes_has_no_next_command(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_setup()
    operation.found.document["summary"] = samples.summary(none=4)
    toys.instead_of_setup(monkeypatch, operation)

    assert "Next" not in invoke("cloud", "plan", *SETUP[2:]).out


def test_a_plan_is_saved(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = toys.of_setup()
    toys.instead_of_setup(monkeypatch, operation)

    assert invoke("cloud", "plan", *SETUP[2:], "--out", "a.plan").code == 0
    assert [str(path) for path in operation.found.saved] == ["a.plan"]


def test_delete_shows_asks_and_reports(
    invoke: Invoke, answers: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_delete()
    toys.instead_of_delete(monkeypatch, operation)
    type_(answers, "y")

    ended = invoke("cloud", "delete", "prod", "--delete-bucket", "b", "--force", "--region", "r")

    request = operation.request
    assert ended.code == 0
    assert "Will be removed" in ended.err.partition("Remove 1 object for good?")[0]
    assert "✓ Cloud prod is gone" in ended.out
    assert isinstance(request, DeleteRequest)
    assert (request.name, request.delete_bucket, request.flags) == ("prod", "b", {"region": "r"})
    assert request.ignore_active_workloads


def test_a_dry_run_of_delete_removes_nothing(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.of_delete()
    toys.instead_of_delete(monkeypatch, operation)

    ended = invoke("cloud", "delete", "prod", "--dry-run", "-o", "json")

    assert ended.code == 0
    assert operation.calls == ["find"]
    assert json.loads(ended.out) == samples.teardown()


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        (samples.healthy(), 0),
        (samples.unhealthy(), 6),
        ({**samples.healthy(), "cause": "the role admits somebody else"}, 6),
    ],
)
def test_status_answers_with_the_health_and_the_cause(
    document: dict[str, Any], answer: int, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = toys.Operation(toys.Made(document), toys.Made({}))
    monkeypatch.setattr(operations, "status", operation, raising=False)

    ended = invoke("cloud", "status", "prod", "-o", "json")

    assert ended.code == answer
    assert json.loads(ended.out) == document


GENERIC = {"provider": "generic", "region": "r", "cluster.context": "c", "name": "prod"}
KEYS = ("ANYSCALE_K8S_STORAGE_ACCESS_KEY_ID", "ANYSCALE_K8S_STORAGE_SECRET_ACCESS_KEY")


@pytest.fixture
def hidden(answers: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked without showing the answer; the person types A, B and so on."""
    asked: list[str] = []
    for name in KEYS:
        monkeypatch.setenv(name, "")

    def read(question: str) -> str:
        asked.append(question)
        return "ABC"[len(asked) - 1]

    monkeypatch.setattr(console, "read_hidden", read)
    return asked


def test_keys_are_typed_without_being_shown_and_are_no_setting(hidden: list[str]) -> None:
    filled = prompts.fill_in(GENERIC, {}, {}, may_ask=True)

    assert filled == GENERIC
    assert len(hidden) == 2
    assert [os.environ[name] for name in KEYS] == ["A", "B"]


@pytest.mark.parametrize(
    ("said", "environment", "may_ask"),
    [
        ({}, dict.fromkeys(KEYS, "x"), True),
        ({}, {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}, True),
        ({"credentials.aws_profile": "lab"}, {}, True),
        ({}, {}, False),
    ],
)
def test_keys_that_are_there_are_not_asked_for(
    hidden: list[str], said: dict[str, str], environment: dict[str, str], may_ask: bool
) -> None:
    prompts.fill_in({**GENERIC, **said}, {}, environment, may_ask=may_ask)

    assert hidden == []


def test_what_is_typed_before_the_question_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A "y" for nothing, while the command was still looking."""
    keyboard, terminal = os.openpty()
    shown = io.StringIO()

    def write(text: str) -> int:
        if "Remove" in text:
            os.write(keyboard, b"no\n")
        return len(text)

    with open(terminal, encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr(shown, "write", write)
        monkeypatch.setattr("sys.stderr", shown)
        os.write(keyboard, b"y\n")
        assert select.select([stdin], [], [], 10)[0]
        with pytest.raises(errors.CliError) as caught:
            prompts.confirm("Remove 4 objects for good?")
    os.close(keyboard)
    assert caught.value.code is errors.CONFIRMATION_NEEDED
