"""The life of a cloud, from nothing to nothing, as its JSON tells it and the recorder proves it.

The commands are run once, in order; each test looks at another side of what they left.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule
from tests.processes import Desk, Ended, Sandbox, started

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
BUCKET = "anyscale-prod-92c04b15"
KEPT = f"aws:s3-bucket/{BUCKET}"
WHERE = ("--provider", "eks", "--cluster-name", "demo", "--region", "us-west-2", "--name", "prod")
# Commands that only look, by the names of their pages below.
LOOKING = ("plan", "setup --dry-run", "status", "list", "get", "delete --dry-run")


@dataclass(frozen=True)
class Page:
    """One command: how it ended, what it wrote anywhere, and the world after it."""

    command: str
    form: str
    ended: Ended
    writes: list[str]
    world: dict[str, Any] = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        if self.form == "yaml":
            return dict(yaml.safe_load(self.ended.out))
        return self.ended.document


class Book:
    """Pages by name."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.beginning = world(sandbox)
        self.pages: dict[str, Page] = {}

    def __getitem__(self, name: str) -> Page:
        return self.pages[name]

    def write(self, name: str, *arguments: str, form: str = "json", **more: Any) -> Page:
        """Run `cloud …` and keep what came of it."""
        mark = self.sandbox.admin.last_call()
        ended = self.sandbox.anyscale("cloud", *arguments, "-o", form, **more)
        page = Page(
            arguments[0], form, ended, writes_of_the_tool(self.sandbox, mark), world(self.sandbox)
        )
        self.pages[name] = page
        return page


def writes_of_the_tool(sandbox: Sandbox, mark: int) -> list[str]:
    """What was written since a call, without what programs in the cluster do for themselves."""
    calls = [call["operation"] for call in sandbox.admin.calls(after=mark, writes_only=True)]
    return [
        f"{call['name']} {call['resource']}"
        for call in calls
        if not call["principal"].startswith("system:")
        and call["principal"] != "operator"
        and "/anyscale-operator-check/" not in call["resource"]
    ]


def world(sandbox: Sandbox) -> dict[str, Any]:
    """Everything there is, without what changes by itself."""
    found = sandbox.admin.snapshot()
    cluster = {
        key: _without_its_past(item)
        for key, item in found["kubernetes"]["demo"].items()
        if not key.startswith("events/")
    }
    return {"aws": found["aws"], "cluster": cluster, "control_plane": found["control_plane"]}


def _without_its_past(item: dict[str, Any]) -> dict[str, Any]:
    passing = ("resourceVersion", "managedFields", "generation")
    metadata = {key: value for key, value in item["metadata"].items() if key not in passing}
    # Extended resources of a node stay listed, with none left, as on a real one.
    gone = "status" if item["kind"] == "Node" else ""
    return {**{key: value for key, value in item.items() if key != gone}, "metadata": metadata}


@pytest.fixture(scope="module")
def book(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Book]:
    with started(desks(), homes) as sandbox:
        made = Book(sandbox)
        set_up(made)
        look(made)
        take_down(made)
        yield made


def set_up(book: Book) -> None:
    book.write("plan", "plan", *WHERE)
    book.write("setup --dry-run", "setup", *WHERE, "--dry-run")
    book.write("wrong account", "plan", *WHERE, "--account-id", "111111111111")
    denied = FaultRule(
        FaultKind.ERROR, "iam", "CreateRole", times=0, status=403, code="AccessDenied"
    )
    book.sandbox.admin.inject(denied)
    book.write("setup failed", "setup", *WHERE, "--yes", form="yaml")
    book.sandbox.admin.clear_faults()
    book.write("setup", "setup", *WHERE, "--yes")
    book.write("setup again", "setup", *WHERE, "--yes")


def look(book: Book) -> None:
    for name in ("status", "list", "get"):
        book.write(name, name)
        book.write(f"{name} yaml", name, form="yaml")
    book.write("plan yaml", "plan", *WHERE, form="yaml")
    book.write("delete --dry-run", "delete", "prod", "--dry-run")


def take_down(book: Book) -> None:
    """Each time from another machine, whose home is empty."""
    stuck = FaultRule(
        FaultKind.ERROR, "iam", "DeleteRole", times=0, status=409, code="DeleteConflict"
    )
    book.sandbox.admin.inject(stuck)
    book.write("delete failed", "delete", "prod", "--yes", fresh_home=True)
    book.sandbox.admin.clear_faults()
    deleted = book.write("delete", "delete", "prod", "--yes", fresh_home=True)
    book.write("delete again", "delete", "prod", "--yes", form="yaml", fresh_home=True)
    book.write("get nothing", "get", "prod")
    book.write("status nothing", "status", "prod")
    book.write("list nothing", "list")
    [kept] = deleted.document["kept"]
    words = shlex.split(kept["command"])[2:]
    book.write("delete bucket", *words, "--yes", fresh_home=True)
    book.write("delete nothing", "delete", "prod", "--yes", fresh_home=True)
    book.write("ignore nothing", "delete", "prod", "--yes", "--ignore-not-found")


def changes(page: Page) -> dict[str, str]:
    return {item["key"]: item["change"] for item in page.document["resources"]}


# -- setting up ------------------------------------------------------------------


@pytest.mark.parametrize("name", LOOKING)
def test_looking_writes_nothing(book: Book, name: str) -> None:
    assert book[name].ended.code == 0
    assert book[name].writes == []


def test_before_setup_nothing_at_all_has_changed(book: Book) -> None:
    assert book["plan"].world == book.beginning
    assert book["setup --dry-run"].world == book.beginning
    assert book["wrong account"].world == book.beginning


def test_a_dry_run_says_what_a_plan_says(book: Book) -> None:
    plan, dry_run = book["plan"].document, book["setup --dry-run"].document
    assert {**plan, "schema": ""} == {**dry_run, "schema": ""}
    assert set(changes(book["plan"]).values()) == {"create"}


def test_a_setup_that_was_cut_short_is_gone_on_with(book: Book) -> None:
    failed, done = book["setup failed"], book["setup"]
    results = {item["key"]: item["result"] for item in failed.document["resources"]}
    role = f"aws:iam-role/{BUCKET}-operator"
    assert failed.ended.code == failed.document["error"]["exit_code"] == 4
    assert results[role] == "failed"
    assert results["helm:release/anyscale-operator/anyscale-operator"] == "skipped"
    assert done.ended.code == 0
    for key, result in results.items():
        assert changes(done)[key] == ("none" if result == "done" else "create"), key


def test_setup_makes_what_the_plan_says(book: Book) -> None:
    document = book["setup"].document
    assert set(changes(book["setup"])) == set(changes(book["plan"]))
    assert document["health"] == "HEALTHY"
    assert document["operator_namespace"] == "anyscale-operator"
    [cloud] = book["setup"].world["control_plane"]["clouds"]
    [resource] = cloud["resources"]
    assert (document["cloud_id"], document["cloud_resource_id"]) == (
        cloud["id"],
        resource["cloud_resource_id"],
    )
    assert all(item["id"] for item in document["resources"])


def test_a_second_setup_only_reads(book: Book) -> None:
    again = book["setup again"]
    assert again.ended.code == 0
    assert set(changes(again).values()) == {"none"}
    assert again.document["summary"] == {
        **dict.fromkeys(again.document["summary"], 0),
        "none": len(changes(again)),
    }
    assert again.document["health"] == "HEALTHY"
    assert again.writes == []


def test_status_list_and_get_agree(book: Book) -> None:
    setup, status = book["setup"].document, book["status"].document
    [listed] = book["list"].document["clouds"]
    got = book["get"].document
    assert status["health"] == "HEALTHY"
    assert {check["status"] for check in status["checks"]} == {"pass"}
    assert (status["cause"], status["command"]) == (None, None)
    assert listed["id"] == got["cloud"]["id"] == status["cloud_id"] == setup["cloud_id"]
    assert got["resources"][0]["cloud_resource_id"] == setup["cloud_resource_id"]


# -- taking down -----------------------------------------------------------------


def test_delete_removes_what_its_dry_run_lists_and_setup_made(book: Book) -> None:
    listed = {item["key"] for item in book["delete --dry-run"].document["remove"]}
    assert listed == set(changes(book["setup"])) - {KEPT}
    # The two runs together: the first was cut short at the role.
    removed = [
        item for name in ("delete failed", "delete") for item in book[name].document["removed"]
    ]
    assert sorted(item["key"] for item in removed) == sorted(listed)


def test_what_could_not_be_removed_is_left_and_told(book: Book) -> None:
    failed = book["delete failed"]
    assert failed.ended.code == failed.document["error"]["exit_code"] == 2
    left = {item["key"] for item in failed.document["left"]}
    assert f"aws:iam-role/{BUCKET}-operator" in left
    assert all(item["reason"] for item in failed.document["left"])


def test_delete_leaves_nothing_but_what_it_says(book: Book) -> None:
    deleted = book["delete"]
    assert deleted.ended.code == 0
    assert deleted.document["left"] == []
    [kept] = deleted.document["kept"]
    assert (kept["key"], kept["ownership"]) == (KEPT, "ours")
    assert "holds your data" in kept["reason"]
    assert kept["command"].startswith("anyscale cloud delete prod ")
    after = json.loads(json.dumps(deleted.world))
    bucket = after["aws"]["buckets"].pop(BUCKET)
    assert after == book.beginning
    assert bucket["tags"]["anyscale-k8s/cloud"] == "prod"
    # So that a cluster of another UID can have it one day.
    assert "anyscale-k8s/cluster-uid" not in bucket["tags"]


def test_delete_again_is_done_already(book: Book) -> None:
    again = book["delete again"]
    assert again.ended.code == 0, again.ended.err
    assert again.document["removed"] == []
    assert [item["key"] for item in again.document["kept"]] == [KEPT]
    assert again.writes == []


def test_the_bucket_goes_by_the_command_that_was_told(book: Book) -> None:
    page = book["delete bucket"]
    assert page.ended.code == 0, page.ended.err
    assert [item["key"] for item in page.document["removed"]] == [KEPT]
    assert (page.document["kept"], page.document["left"]) == ([], [])
    assert page.world == book.beginning


def test_what_is_nobodys_to_delete_is_as_it_was(book: Book) -> None:
    before = book.beginning["aws"]["buckets"]["team-data"]
    assert {
        json.dumps(page.world["aws"]["buckets"]["team-data"]) for page in book.pages.values()
    } == {json.dumps(before)}


def test_nothing_to_delete_is_an_error_unless_told_otherwise(book: Book) -> None:
    nothing, ignored = book["delete nothing"], book["ignore nothing"]
    assert nothing.ended.code == 1
    assert nothing.document["error"]["code"] == "cloud-not-found"
    assert ignored.ended.code == 0, ignored.ended.err
    for page in (nothing, ignored):
        assert page.document["searched"]
        assert page.document["removed"] == page.document["left"] == []
        assert page.writes == []


# -- machine output ----------------------------------------------------------------


def test_standard_output_is_one_document_of_the_published_form(book: Book) -> None:
    forms = set()
    for name, page in book.pages.items():
        validate(page.command, page.document)
        error = page.document.get("error")
        assert page.ended.code == (error["exit_code"] if error else 0), name
        if page.form == "json":
            assert page.ended.out.endswith("}\n")
            assert page.ended.out.count("\n") == 1
        forms.add((page.command, page.form))
    commands = ("plan", "setup", "status", "list", "get", "delete")
    assert forms == {(command, form) for command in commands for form in ("json", "yaml")}


def test_yaml_says_what_json_says(book: Book) -> None:
    assert book["list yaml"].document == book["list"].document
    assert book["plan yaml"].document["resources"] == book["setup again"].document["resources"]


def validate(command: str, document: dict[str, Any]) -> None:
    schema = json.loads((SCHEMAS / f"{command}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["schema"] == f"anyscale-k8s/{command}/v1"
