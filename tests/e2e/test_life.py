"""The life of a cloud, from nothing to nothing, as its JSON tells it and the recorder proves it.

The commands are run once, in order; each test looks at another side of what they left. Those
that a cloud's life consists of are the installed one, from the start of Python on.
"""

from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.eks import EksProvider
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule
from anyscale_k8s_cli.sandbox.world import World
from tests.e2e.story import Story
from tests.processes import UNTRIED, Desk, started

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
BUCKET = "anyscale-prod-92c04b15"
KEPT = f"aws:s3-bucket/{BUCKET}"
WHERE = ("--provider", "eks", "--cluster-name", "demo", "--region", "us-west-2", "--name", "prod")
# Commands that only look, by the names of their pages below.
LOOKING = ("plan", "setup --dry-run", "status", "list", "get", "delete --dry-run")
# What leads past a cloud that is there: told nothing, a script would take it for gone.
_SURE = ("--ignore-not-found", "--yes")
LED_PAST = {
    "another namespace": ("delete", ("--namespace", "wrong", *_SURE)),
    "another namespace of the cluster": (
        "delete",
        (*WHERE[:6], "--namespace", "wrong", *_SURE),
    ),
    "another platform": ("delete", ("--provider", "gke", *_SURE)),
    "status": ("status", ("--namespace", "wrong")),
}


def world(seen: dict[str, Any]) -> dict[str, Any]:
    """Everything there is, without what changes by itself."""
    cluster = {
        key: _without_its_past(item)
        for key, item in seen["kubernetes"]["demo"].items()
        if not key.startswith("events/")
    }
    return {"aws": seen["aws"], "cluster": cluster, "control_plane": seen["control_plane"]}


def _without_its_past(item: dict[str, Any]) -> dict[str, Any]:
    passing = ("resourceVersion", "managedFields", "generation")
    metadata = {key: value for key, value in item["metadata"].items() if key not in passing}
    # Extended resources of a node stay listed, with none left, as on a real one.
    gone = "status" if item["kind"] == "Node" else ""
    return {**{key: value for key, value in item.items() if key != gone}, "metadata": metadata}


@pytest.fixture(scope="module")
def story(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    with started(desks(), homes, World(platforms=("eks", "gke"))) as sandbox:
        made = Story(sandbox)
        set_up(made)
        look(made)
        take_down(made)
        yield made


def may(story: Story, verb: Verb) -> None:
    """From now on AWS grants what is printed for the verb, and nothing besides."""
    (printed,) = EksProvider(Run()).permissions(verb)
    story.sandbox.admin.set_admin_policies([json.loads(printed.text)])


def set_up(story: Story) -> None:
    story.tell("plan", "plan", *WHERE)
    story.tell("setup --dry-run", "setup", *WHERE, *UNTRIED, "--dry-run")
    story.tell("wrong account", "plan", *WHERE, *UNTRIED, "--account-id", "111111111111")
    denied = FaultRule(
        FaultKind.ERROR, "iam", "CreateRole", times=0, status=403, code="AccessDenied"
    )
    story.sandbox.admin.inject(denied)
    may(story, Verb.SETUP)
    story.tell("setup failed", "setup", *WHERE, *UNTRIED, "--yes", form="yaml")
    story.sandbox.admin.clear_faults()
    story.tell("setup", "setup", *WHERE, "--yes", installed=True)
    story.tell("setup again", "setup", *WHERE, "--yes")


def look(story: Story) -> None:
    story.tell("moved", "plan", *WHERE, *UNTRIED, "--tag", "team=ml", "--namespace", "moved")
    story.tell("status", "status")
    for name in ("list", "get"):
        story.tell(name, name)
    story.tell("plan yaml", "plan", *WHERE, *UNTRIED, form="yaml")
    may(story, Verb.VERIFY)
    story.tell("verify", "verify", "prod", installed=True)
    may(story, Verb.DELETE)
    story.tell("delete --dry-run", "delete", "prod", "--dry-run")
    for command, flags in LED_PAST.values():
        story.tell(" ".join((command, *flags)), command, "prod", *flags)


def take_down(story: Story) -> None:
    """Each time from another machine, whose home is empty."""
    stuck = FaultRule(
        FaultKind.ERROR, "iam", "DeleteRole", times=0, status=409, code="DeleteConflict"
    )
    story.sandbox.admin.inject(stuck)
    story.tell("delete failed", "delete", "prod", "--yes", fresh_home=True)
    story.sandbox.admin.clear_faults()
    story.tell("status half gone", "status", "prod", form="yaml", fresh_home=True)
    deleted = story.tell("delete", "delete", "prod", "--yes", fresh_home=True, installed=True)
    story.tell("delete again", "delete", "prod", "--yes", form="yaml", fresh_home=True)
    story.tell("get nothing", "get", "prod", form="yaml")
    story.tell("list nothing", "list", form="yaml")
    [kept] = deleted.document["kept"]
    words = shlex.split(kept["command"])[2:]
    story.tell("status gone", "status", "prod", fresh_home=True)
    story.tell("delete bucket", *words, "--yes", fresh_home=True)
    story.tell("delete nothing", "delete", "prod", "--yes", fresh_home=True)
    story.tell("ignore nothing", "delete", "prod", "--yes", "--ignore-not-found")


# -- setting up ------------------------------------------------------------------


@pytest.mark.parametrize("name", LOOKING)
def test_looking_writes_nothing(story: Story, name: str) -> None:
    assert story[name].ended.code == 0
    assert story[name].writes == []


def test_before_setup_nothing_at_all_has_changed(story: Story) -> None:
    assert world(story["plan"].seen) == world(story.beginning)
    assert world(story["setup --dry-run"].seen) == world(story.beginning)
    assert world(story["wrong account"].seen) == world(story.beginning)


def test_a_dry_run_says_what_a_plan_says(story: Story) -> None:
    plan, dry_run = story["plan"].document, story["setup --dry-run"].document
    # But for the trials, which the one of them did without.
    apart = {"schema": "", "checks": []}
    assert {**plan, **apart} == {**dry_run, **apart}
    assert tried(plan) == tried(dry_run)
    assert set(story["plan"].changes.values()) == {"create"}


def tried(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks of a plan, without the trials."""
    return [item for item in document["checks"] if item["code"] not in UNTRIED]


def test_room_is_asked_for_where_something_is_to_be_made(story: Story) -> None:
    quotas = {"aws-bucket-quota", "aws-load-balancer-quota", "aws-role-quota"}
    asked = {item["code"]: item for item in story["plan"].document["checks"]}
    assert quotas <= set(asked)
    assert all("needed 1" in asked[code]["detail"] for code in quotas)
    assert not quotas & {item["code"] for item in story["plan yaml"].document["checks"]}


def test_three_ways_to_the_control_plane_are_told_apart(story: Story) -> None:
    for name in ("plan", "verify"):
        checks = {item["code"]: item for item in story[name].document["checks"]}
        reached = checks["control-plane-reachable"]
        assert reached["status"] == "pass"
        assert [line.split(":")[0] for line in reached["evidence"]] == [
            *("from here", "from a pod", "from the cluster's API server")
        ]
    assert checks["operator-webhook"]["status"] == "pass"


def test_a_setup_that_was_cut_short_is_gone_on_with(story: Story) -> None:
    failed, done = story["setup failed"], story["setup"]
    results = {item["key"]: item["result"] for item in failed.document["resources"]}
    role = f"aws:iam-role/{BUCKET}-operator"
    assert failed.ended.code == failed.document["error"]["exit_code"] == 4
    assert results[role] == "failed"
    assert results["helm:release/anyscale-operator/anyscale-operator"] == "skipped"
    assert done.ended.code == 0
    for key, result in results.items():
        assert done.changes[key] == ("none" if result == "done" else "create"), key


def test_setup_makes_what_the_plan_says(story: Story) -> None:
    document = story["setup"].document
    assert set(story["setup"].changes) == set(story["plan"].changes)
    assert document["health"] == "HEALTHY"
    assert document["operator_namespace"] == "anyscale-operator"
    [cloud] = story["setup"].seen["control_plane"]["clouds"]
    [resource] = cloud["resources"]
    assert (document["cloud_id"], document["cloud_resource_id"]) == (
        cloud["id"],
        resource["cloud_resource_id"],
    )
    assert all(item["id"] for item in document["resources"])
    outputs = document["outputs"]
    config = resource["kubernetes_config"]
    assert outputs["bucket"] == resource["object_storage"]["bucket_name"]
    assert outputs["identity"] == config["anyscale_operator_iam_identity"]
    assert (outputs["exposure"], outputs["token"]) == ("PUBLIC", None)
    assert outputs["address"].endswith(".amazonaws.com")


def test_a_second_setup_only_reads(story: Story) -> None:
    again = story["setup again"]
    assert again.ended.code == 0
    assert set(again.changes.values()) == {"none"}
    assert again.document["summary"] == {
        **dict.fromkeys(again.document["summary"], 0),
        "none": len(again.changes),
    }
    assert again.document["health"] == "HEALTHY"
    assert again.writes == []


def test_verify_needs_no_more_than_its_printed_policy(story: Story) -> None:
    """Setup and delete have theirs alone too, all through this story."""
    verified = story["verify"].ended
    assert verified.code == 0, verified.err
    unknown = [item for item in verified.document["checks"] if item["status"] == "unknown"]
    assert unknown == []


def test_status_list_and_get_agree(story: Story) -> None:
    setup, status = story["setup"].document, story["status"].document
    [listed] = story["list"].document["clouds"]
    got = story["get"].document
    assert status["health"] == "HEALTHY"
    assert {check["status"] for check in status["checks"]} == {"pass"}
    assert (status["cause"], status["command"]) == (None, None)
    assert listed["id"] == got["cloud"]["id"] == status["cloud_id"] == setup["cloud_id"]
    assert got["resources"][0]["cloud_resource_id"] == setup["cloud_resource_id"]


@pytest.mark.parametrize("what", LED_PAST)
def test_a_cloud_that_is_elsewhere_is_not_taken_for_gone(story: Story, what: str) -> None:
    command, flags = LED_PAST[what]
    page = story[" ".join((command, *flags))]
    assert page.ended.code == 5
    error = page.document["error"]
    assert error["code"] == "cloud-elsewhere"
    assert error["message"] == "prod exists, on eks/demo in namespace anyscale-operator"
    assert " ".join(flags[-4:-2] if command == "delete" else flags) in error["cause"]
    assert error["fix"].startswith(f"anyscale cloud {command} prod --provider eks")
    assert "wrong" not in error["fix"]
    assert page.writes == []


def test_ones_own_cloud_is_not_somebody_elses_in_another_namespace(story: Story) -> None:
    page = story["moved"]
    assert page.ended.code == 5
    error = page.document["error"]
    assert error["code"] == "cloud-elsewhere"
    assert "your own cloud, on eks/demo in namespace anyscale-operator" in error["message"]
    command = error["fix"].splitlines()[0]
    assert command.startswith("anyscale cloud plan --provider eks")
    assert command.endswith("--namespace anyscale-operator")
    assert "--tag team=ml" in command
    assert "--add-to-cloud" not in page.ended.out


# -- taking down -----------------------------------------------------------------


def test_delete_removes_what_its_dry_run_lists_and_setup_made(story: Story) -> None:
    listed = {item["key"] for item in story["delete --dry-run"].document["remove"]}
    assert listed == set(story["setup"].changes) - {KEPT}
    # The two runs together: the first was cut short at the role.
    removed = [
        item for name in ("delete failed", "delete") for item in story[name].document["removed"]
    ]
    assert sorted(item["key"] for item in removed) == sorted(listed)


def test_what_could_not_be_removed_is_left_and_told(story: Story) -> None:
    failed = story["delete failed"]
    assert failed.ended.code == failed.document["error"]["exit_code"] == 2
    left = {item["key"] for item in failed.document["left"]}
    assert f"aws:iam-role/{BUCKET}-operator" in left
    assert all(item["reason"] for item in failed.document["left"])


def test_delete_leaves_nothing_but_what_it_says(story: Story) -> None:
    deleted = story["delete"]
    assert deleted.ended.code == 0
    assert deleted.document["left"] == []
    [kept] = deleted.document["kept"]
    assert (kept["key"], kept["ownership"]) == (KEPT, "ours")
    assert "stays with what is in it (" in kept["reason"]
    assert kept["command"].startswith("anyscale cloud delete prod ")
    after = copy.deepcopy(world(deleted.seen))
    bucket = after["aws"]["buckets"].pop(BUCKET)
    assert after == world(story.beginning)
    assert bucket["tags"]["anyscale-k8s/cloud"] == "prod"
    # So that a cluster of another UID can have it one day.
    assert "anyscale-k8s/cluster-uid" not in bucket["tags"]


def test_delete_again_is_done_already(story: Story) -> None:
    again = story["delete again"]
    assert again.ended.code == 0, again.ended.err
    assert again.document["removed"] == []
    assert [item["key"] for item in again.document["kept"]] == [KEPT]
    assert again.writes == []


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("status half gone", f"IAM role {BUCKET}-operator"),
        ("status gone", "what a deletion keeps, your data"),
    ],
)
def test_status_of_what_is_deleted_says_what_is_left_and_never_sets_it_up(
    story: Story, name: str, left: str
) -> None:
    page = story[name]
    assert page.ended.code == 1
    error = page.document["error"]
    assert error["code"] == "cloud-not-found"
    assert left in error["cause"]
    assert BUCKET in " ".join(error["evidence"])
    command = error["fix"].splitlines()[0]
    assert command.startswith("anyscale cloud delete prod --provider eks --region us-west-2")
    assert "--delete-bucket" not in command
    assert "cloud setup" not in page.ended.out
    assert page.writes == []


def test_the_bucket_goes_by_the_command_that_was_told(story: Story) -> None:
    page = story["delete bucket"]
    assert page.ended.code == 0, page.ended.err
    assert [item["key"] for item in page.document["removed"]] == [KEPT]
    assert (page.document["kept"], page.document["left"]) == ([], [])
    assert world(page.seen) == world(story.beginning)


def test_what_is_nobodys_to_delete_is_as_it_was(story: Story) -> None:
    before = story.beginning["aws"]["buckets"]["team-data"]
    assert {
        json.dumps(page.seen["aws"]["buckets"]["team-data"]) for page in story.pages.values()
    } == {json.dumps(before)}


def test_nothing_to_delete_is_an_error_unless_told_otherwise(story: Story) -> None:
    nothing, ignored = story["delete nothing"], story["ignore nothing"]
    assert nothing.ended.code == 1
    assert nothing.document["error"]["code"] == "cloud-not-found"
    assert ignored.ended.code == 0, ignored.ended.err
    for page in (nothing, ignored):
        assert page.document["searched"]
        assert page.document["removed"] == page.document["left"] == []
        assert page.writes == []


# -- machine output ----------------------------------------------------------------


def test_standard_output_is_one_document_of_the_published_form(story: Story) -> None:
    forms = set()
    for name, page in story.pages.items():
        validate(page.command, page.document)
        error = page.document.get("error")
        assert page.ended.code == (error["exit_code"] if error else 0), name
        if page.form == "json":
            assert page.ended.out.endswith("}\n")
            assert page.ended.out.count("\n") == 1
        forms.add((page.command, page.form))
    commands = ("plan", "setup", "status", "list", "get", "delete")
    both = {(command, form) for command in commands for form in ("json", "yaml")}
    assert forms == both | {("verify", "json")}


def test_yaml_says_what_json_says(story: Story) -> None:
    assert story["plan yaml"].document["resources"] == story["setup again"].document["resources"]


def validate(command: str, document: dict[str, Any]) -> None:
    schema = json.loads((SCHEMAS / f"{command}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["schema"] == f"anyscale-k8s/{command}/v1"
