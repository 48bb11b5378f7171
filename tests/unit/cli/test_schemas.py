"""The published forms of results: samples fit, and what they promise is really demanded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from anyscale_k8s_cli import errors, events
from anyscale_k8s_cli.resource import Change, Ownership

from . import samples

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def check(name: str, document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema(name)).validate(document)


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_every_schema_is_a_schema(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("plan", samples.plan()),
        ("plan", samples.upgrade()),
        ("setup", samples.upgrade() | {"schema": "anyscale-k8s/setup/v1"}),
        ("setup", samples.setup()),
        ("setup", samples.failed_setup()),
        ("register", samples.registered()),
        ("delete", samples.teardown()),
        ("delete", samples.deleted()),
        ("delete", samples.nothing_found()),
        ("status", samples.unhealthy()),
        ("status", samples.featured()),
        ("verify", samples.verified()),
        ("list", samples.clouds()),
        ("get", samples.cloud()),
        ("review", samples.reviewed()),
        ("mirror", samples.mirrored()),
        ("explain", samples.explained()),
        ("explain", samples.declared()),
        ("rotate-token", samples.rotated()),
        ("rotate-token", samples.rotation_failed()),
    ],
)
def test_sample_reports_fit(name: str, document: dict[str, Any]) -> None:
    check(name, document)


@pytest.mark.parametrize(
    "name",
    [
        "plan",
        "setup",
        "register",
        "delete",
        "status",
        "verify",
        "list",
        "get",
        "explain",
        "review",
        "mirror",
        "rotate-token",
    ],
)
def test_a_bare_error_fits_and_an_empty_success_does_not(name: str) -> None:
    only_schema = {"schema": f"anyscale-k8s/{name}/v1"}

    check(name, {**only_schema, "error": samples.ERROR})
    check("error", {**only_schema, "error": samples.ERROR})
    with pytest.raises(jsonschema.ValidationError):
        check(name, only_schema)


def test_errors_fit() -> None:
    problem = errors.CliError(errors.NOT_FOUND, "m", "c", ("e",), "f").as_json()

    check("error", {"schema": "anyscale-k8s/list/v1", "error": problem})


def test_exit_codes_of_errors_are_those_of_the_table() -> None:
    listed = set(schema("error")["$defs"]["error"]["properties"]["exit_code"]["enum"])

    assert listed == set(errors.ExitCode) - {0, errors.ExitCode.CHANGES_PENDING}


def test_changes_and_ownership_are_those_of_the_engine() -> None:
    fields = schema("setup")["$defs"]["resource"]["properties"]

    assert set(fields["change"]["enum"]) == set(Change)
    assert set(fields["ownership"]["enum"]) == set(Ownership)
    assert set(schema("setup")["$defs"]["summary"]["required"]) == set(Change)


def sample_events() -> Iterator[events.Event]:
    yield events.PhaseStarted(phase="apply", title="Apply")
    yield events.PhaseFinished(phase="apply", seconds=1.5)
    yield events.StepQueued(key="k", title="t", change="create", needs=("n",))
    yield events.StepStarted(key="k", title="t", change="create")
    yield events.StepWaiting(key="k", what="w", detail="d")
    yield events.StepWaited(key="k", what="w")
    yield events.StepFinished(key="k", title="t", change="create", result="done", seconds=1.0)
    yield events.CheckFinished(code="c", title="t", status="pass")
    yield events.Notice(level="info", text="t")
    yield events.CallMade(service="s", call="c", status="200", seconds=0.1)


def test_every_kind_of_event_fits() -> None:
    sent = list(sample_events())

    assert {type(event) for event in sent} == set(events.Event.__subclasses__())
    for event in sent:
        check("events", json.loads(json.dumps(event.as_json())))
