"""A plan in a file is an upper bound, values and all; shown with toys."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest

from anyscale_k8s_cli import errors, saved_plan
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.plan import Plan, PlannedChange
from anyscale_k8s_cli.resource import (
    AdoptedResource,
    Change,
    Decision,
    FieldChange,
    NotYetKnown,
    Observed,
    Ownership,
    fingerprint,
)
from anyscale_k8s_cli.saved_plan import SavedPlan

INSTALL = Install("toy", "account", "region", "cluster", "ray", "prod", cluster_uid="uid")
PLANE = "https://console.example"
AGAIN = "anyscale cloud plan --name prod --out plan.json"
SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "saved-plan.json"
SIZE = FieldChange("size", 1, 3)
SECRET = {"password": "hunter2"}


class Toy(AdoptedResource[str]):
    """Made with `contents`; None where they are known after apply."""

    kind: ClassVar[str] = "toy"

    def __init__(self, key: str, contents: Any = None) -> None:
        super().__init__(key=key, title=key, install=INSTALL)
        self.contents = contents

    def read(self) -> Observed[str] | None:
        return None

    def told(self) -> Mapping[str, str]:
        if self.contents is None:
            raise NotYetKnown(self)
        return {"manifest": fingerprint(self.contents)}


def create(key: str, contents: Any = None) -> PlannedChange:
    return planned(Toy(key, contents), Change.CREATE)


def update(key: str, *fields: FieldChange, contents: Any = None) -> PlannedChange:
    return planned(Toy(key, contents), Change.UPDATE, fields)


def planned(toy: Toy, change: Change, fields: tuple[FieldChange, ...] = ()) -> PlannedChange:
    return PlannedChange(toy, Decision(change, Ownership.OURS, "because", fields), None)


def saved(*changes: PlannedChange) -> SavedPlan:
    return SavedPlan.of(Plan(changes), INSTALL, PLANE, {"name": "prod"})


def read_again(plan: SavedPlan, folder: Path) -> SavedPlan:
    plan.write(folder / "a.plan")
    return SavedPlan.read(folder / "a.plan")


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ([create("a"), create("b")], [create("b")]),
        ([create("a", SECRET)], [create("a", SECRET)]),
        ([create("a")], [create("a", "known by now")]),
        ([create("a", SECRET)], [update("a", SIZE, contents=SECRET)]),
        ([update("a", SIZE, FieldChange("name", "x", "y"))], [update("a", SIZE)]),
        ([update("a")], [update("a", SIZE)]),
        (
            [update("a", FieldChange("of", ("x",), ("y",)))],
            [update("a", FieldChange("of", ["x"], ["y"]))],
        ),
    ],
    ids=[
        "less",
        "the same",
        "known since",
        "half made",
        "fewer fields",
        "fields known since",
        "sequences",
    ],
)
def test_what_it_covers(
    then: list[PlannedChange], now: list[PlannedChange], tmp_path: Path
) -> None:
    read_again(saved(*then), tmp_path).check_covers(Plan(tuple(now)), INSTALL, PLANE, AGAIN)


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ([], [create("a")], "a: create is not in the plan"),
        ([update("a", SIZE)], [create("a")], "a: create is not in the plan, which has update"),
        ([create("a", "x")], [create("a", "y")], "a: manifest: other than in the plan"),
        ([create("a", "x")], [update("a", SIZE, contents="y")], "a: manifest: other than"),
        (
            [update("a", SIZE)],
            [update("a", FieldChange("size", 1, 4))],
            "a: size: 1 → 4 is not in the plan, which has size: 1 → 3",
        ),
        (
            [update("a", SIZE)],
            [update("a", FieldChange("size", 2, 3))],
            "a: size: 2 → 3 is not in the plan, which has size: 1 → 3",
        ),
        ([update("a", SIZE)], [update("a", FieldChange("x", 1, 2))], "a: x: 1 → 2 is not in"),
        ([update("a", SIZE)], [update("a")], "a: what it would be changed to is not known"),
    ],
)
def test_what_it_forbids(
    then: list[PlannedChange], now: list[PlannedChange], told: str, tmp_path: Path
) -> None:
    with pytest.raises(errors.CliError) as caught:
        read_again(saved(*then), tmp_path).check_covers(Plan(tuple(now)), INSTALL, PLANE, AGAIN)
    assert caught.value.code is errors.PLAN_STALE
    assert caught.value.cause.startswith(told)
    assert caught.value.fix.startswith(f"{AGAIN}\n")


@pytest.mark.parametrize(
    ("install", "plane", "told"),
    [
        (replace(INSTALL, account="another"), PLANE, "account, cluster"),
        (replace(INSTALL, cluster_uid="another"), PLANE, "the cluster's UID"),
        (INSTALL, "https://other.example", "made for Anyscale at https://console.example"),
    ],
)
def test_elsewhere_it_means_nothing(install: Install, plane: str, told: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        saved().check_covers(Plan(()), install, plane, AGAIN)
    assert caught.value.cause.startswith(told)


def test_what_is_there_meanwhile_is_told_by_whose_it_is() -> None:
    before = saved(create("a"), create("b"), create("c"), update("d", SIZE))
    theirs = Decision(Change.KEEP, Ownership.FOREIGN, "already there and used as it is")
    now = Plan(
        (
            planned(Toy("a"), Change.NONE),
            PlannedChange(Toy("b"), theirs, None),
            create("c"),
            planned(Toy("d"), Change.NONE),
        )
    )

    assert list(before.meanwhile(now)) == [
        "made since the plan was saved, and as they should be: a (a)",
        "made by somebody else since the plan was saved, and used as they are: b (b)",
    ]
    assert list(before.meanwhile(Plan((create("c"),)))) == []


def test_by_another_version_it_means_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = saved()
    monkeypatch.setattr(saved_plan, "tool_version", lambda: "99.0")
    with pytest.raises(errors.CliError) as caught:
        plan.check_covers(Plan(()), INSTALL, PLANE, AGAIN)
    assert "this is 99.0" in caught.value.cause


def test_the_file_is_private_without_secrets_and_of_the_published_form(tmp_path: Path) -> None:
    path = tmp_path / "a.plan"
    saved(create("a", SECRET), update("b", SIZE), update("c")).write(path)
    text = path.read_text(encoding="utf-8")
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(text))
    assert "hunter2" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(text)["changes"]["b"]["fields"] == [{"field": "size", "old": 1, "new": 3}]


def test_it_is_written_over_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.plan"
    saved(create("a")).write(path)
    saved(create("b")).write(path)
    assert set(SavedPlan.read(path).changes) == {"b"}

    other = replace(saved(), install=replace(INSTALL, cloud="dev"))
    with pytest.raises(errors.CliError, match="not written over") as caught:
        other.write(path)
    assert caught.value.code is errors.FILE_NOT_OURS
    assert "'prod'" in caught.value.cause
    assert set(SavedPlan.read(path).changes) == {"b"}
    other.write(path, overwrite=True)
    assert SavedPlan.read(path) == other


@pytest.mark.parametrize("text", ["", "name: prod\n", "[]", '{"install": 3}'])
def test_a_file_of_somebody_else_stays(text: str, tmp_path: Path) -> None:
    path = tmp_path / "cloud.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(errors.CliError) as caught:
        saved().write(path)
    assert "--overwrite" in caught.value.fix
    assert path.read_text(encoding="utf-8") == text
