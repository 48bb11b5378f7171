"""What stays private: secrets and the user's kubeconfig. And a plan that is saved and done later.

The commands are run once, in order; each test looks at another side of what they left.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from anyscale_k8s_cli.sandbox.environment import Folder
from anyscale_k8s_cli.sandbox.world import EksWorld, World
from tests.by_hand import NOT_FOUND, ByHand
from tests.e2e.story import Story
from tests.e2e.witness import witness
from tests.processes import Desk, Sandbox, eventually, started

WORLD = World(platforms=("eks",), eks=EksWorld(gpu_nodes=False))

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
WHERE = ("--provider", "eks", "--cluster-name", "demo", "--region", "us-west-2")
BUCKET = "anyscale-prod-92c04b15"
KUBECONFIG = """\
# Mine, with its comments; current-context is where I work.
apiVersion: v1
kind: Config
current-context: work
clusters: [{name: work, cluster: {server: "https://127.0.0.1:9"}}]
contexts: [{name: work, context: {cluster: work, user: me}}]
users: [{name: me, user: {token: my-own}}]
"""


class Machine(Story):
    """A user's machine: a kubeconfig in its home, and a folder for what commands write."""

    def __init__(self, sandbox: Sandbox, private: Path) -> None:
        super().__init__(sandbox)
        self.private = private
        self.home = Path(sandbox.record.environment["HOME"])
        self.kubeconfig = self.home / ".kube" / "config"
        self.kubeconfig.write_text(KUBECONFIG, encoding="utf-8")
        self.written_at = self.kubeconfig.stat().st_mtime_ns
        self.in_cluster: dict[str, str] = {}


@pytest.fixture(scope="module")
def story(
    desks: Callable[[], Desk],
    homes: Callable[[], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Machine]:
    with started(desks(), homes, WORLD) as sandbox:
        made = Machine(sandbox, tmp_path_factory.mktemp("private"))
        set_up(made)
        take_down(made)
        yield made


def set_up(story: Machine) -> None:
    plan, late = str(story.private / "prod.plan"), str(story.private / "late.plan")
    told = (
        "-v",
        "--log-file",
        str(story.private / "log"),
        "--events",
        str(story.private / "events"),
    )
    story.tell("plan", "plan", *WHERE, "--name", "prod", "--out", plan)
    # The witness is heard by a command that starts.
    story.tell(
        "setup", "setup", "--plan", plan, "--yes", *told, env=witness(story.sandbox, story.private)
    )
    story.in_cluster = in_cluster(story.hand)
    story.tell("setup again", "setup", "--plan", plan, "--yes")
    story.tell("late plan", "plan", *WHERE, "--name", "prod", "--out", late)
    story.hand.aws("s3").put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}
    )
    story.tell("stale", "setup", "--plan", late, "--yes")
    story.tell("no plan", "setup", "--plan", str(story.private / "log"), "--yes")
    story.tell("plan and more", "setup", "--plan", plan, "--name", "dev", "--yes")


def in_cluster(hand: ByHand) -> dict[str, str]:
    """The ledger, and what helm's records hold, as text."""
    namespace = "/api/v1/namespaces/anyscale-operator"
    ledger = hand.kubernetes.get(f"{namespace}/configmaps/anyscale-k8s-ledger").text
    selector = {"labelSelector": "owner=helm"}
    records = hand.kubernetes.get("/api/v1/secrets", params=selector).json()["items"]
    releases = {
        item["metadata"]["name"]: gzip.decompress(
            base64.b64decode(base64.b64decode(item["data"]["release"]))
        ).decode()
        for item in records
    }
    return {"ledger": ledger, **releases}


def take_down(story: Machine) -> None:
    """First by hand as the vendor documents it, then by this tool for the rest."""
    hand, cloud = story.hand, story["setup"].done["cloud_id"]
    kubeconfig = story.private / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(hand.kubeconfig()), encoding="utf-8")
    subprocess.run(
        [
            Folder(story.sandbox.record.directory).helm,
            *("uninstall", "anyscale-operator", "--namespace", "anyscale-operator"),
            *("--kubeconfig", kubeconfig),
        ],
        check=True,
        capture_output=True,
        env={**story.sandbox.environment, **story.sandbox.fresh_home()},
    )
    namespace = "/api/v1/namespaces/anyscale-operator"
    hand.delete(namespace)
    hand.control_plane.put(f"clouds/{cloud}/state", params={"state": "DELETING"})
    hand.control_plane.delete(f"clouds/{cloud}")
    eventually(lambda: not hand.exists(namespace))
    eventually(lambda: hand.control_plane.get(f"clouds/{cloud}").status_code == NOT_FOUND)
    story.tell("delete", "delete", "prod", *WHERE, "--yes", fresh_home=True)
    story.tell("delete again", "delete", "prod", *WHERE, "--yes", fresh_home=True)


# -- private -----------------------------------------------------------------------


def secrets(story: Machine) -> dict[str, str]:
    """The user's own, and the beginnings of tokens that are made on the way."""
    environment = story.sandbox.environment
    found = {name: environment[name] for name in ("ANYSCALE_CLI_TOKEN", "AWS_SECRET_ACCESS_KEY")}
    return {
        **found,
        "token for the cluster": "k8s-aws-v1.",
        "signature of a request": "X-Amz-Signature",
        "service account's token": "eyJhbGciOi",
    }


def test_no_secret_is_in_a_command_line(story: Machine) -> None:
    notes = (story.private / "notes").read_text(encoding="utf-8")
    assert re.search(r"^helm .*upgrade", notes, re.MULTILINE), "helm was seen"
    assert "'--log-file'" in notes, "the command was seen"
    assert "'upgrade'" in notes, "what the command starts was seen"
    for what, secret in secrets(story).items():
        assert secret not in notes, what


def test_no_secret_is_in_what_a_run_leaves(story: Machine) -> None:
    left = {
        name: (story.private / name).read_text(encoding="utf-8")
        for name in ("log", "events", "prod.plan", "late.plan")
    }
    shown = {f"{name} out": page.ended.out for name, page in story.pages.items()}
    shown |= {f"{name} err": page.ended.err for name, page in story.pages.items()}
    assert "CreateRole" in left["log"], "each call is told"
    for place, text in {**left, **shown}.items():
        for what, secret in secrets(story).items():
            assert secret not in text, (what, place)


def test_no_secret_is_in_the_cluster(story: Machine) -> None:
    assert {"ledger", "sh.helm.release.v1.anyscale-operator.v1"} <= set(story.in_cluster)
    for place, text in story.in_cluster.items():
        for what, secret in secrets(story).items():
            assert secret not in text, (what, place)


def test_no_secret_is_in_the_home(story: Machine) -> None:
    for path in story.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for what, secret in secrets(story).items():
                assert secret.encode() not in content, (what, path)


def test_the_kubeconfig_is_the_same_byte_for_byte(story: Machine) -> None:
    assert story.kubeconfig.read_text(encoding="utf-8") == KUBECONFIG
    assert story.kubeconfig.stat().st_mtime_ns == story.written_at
    assert [path.name for path in story.kubeconfig.parent.iterdir()] == ["config"]


def test_every_event_fits_its_schema(story: Machine) -> None:
    schema = json.loads((SCHEMAS / "events.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    lines = (story.private / "events").read_text(encoding="utf-8").splitlines()
    for line in lines:
        validator.validate(json.loads(line))
    keys = {item["key"] for item in story["setup"].done["resources"]}
    finished = {item["key"] for item in map(json.loads, lines) if item.get("result") == "done"}
    assert keys <= finished


# -- a saved plan --------------------------------------------------------------------


def test_a_saved_plan_is_done(story: Machine) -> None:
    saved = json.loads((story.private / "prod.plan").read_text(encoding="utf-8"))
    planned, made = story["plan"].done, story["setup"].done
    assert {key: item["change"] for key, item in saved["changes"].items()} == {
        item["key"]: item["change"] for item in planned["resources"]
    }
    release = saved["changes"]["helm:release/envoy-gateway-system/eg"]["wanted"]
    assert len(release["values"]) == 64
    assert made["summary"] == planned["summary"]
    assert made["health"] == "HEALTHY"


def test_less_than_it_says_is_fine(story: Machine) -> None:
    again = story["setup again"].done
    assert again["summary"]["none"] == len(again["resources"])
    assert story["setup again"].writes == []


def test_more_than_it_says_is_refused(story: Machine) -> None:
    stale = story["stale"].ended
    assert stale.code == 5
    error = stale.document["error"]
    assert error["code"] == "plan-stale"
    assert f"aws:s3-bucket/{BUCKET}: update" in " ".join((error["cause"], *error["evidence"]))
    assert story["stale"].writes == []


@pytest.mark.parametrize("name", ["no plan", "plan and more"])
def test_what_is_no_plan_or_more_than_one_is_refused(story: Machine, name: str) -> None:
    assert story[name].ended.code == 1
    assert story[name].ended.document["error"]["fix"]
    assert story[name].writes == []


# -- after somebody removed the registration ------------------------------------------


def test_delete_by_scope_removes_the_rest(story: Machine) -> None:
    deleted = story["delete"].done
    removed = {item["key"] for item in deleted["removed"]}
    assert f"aws:iam-role/{BUCKET}-operator" in removed
    assert "helm:release/envoy-gateway-system/eg" in removed
    assert not {key for key in removed if key.startswith("anyscale:")}
    assert deleted["left"] == []
    assert [item["key"] for item in deleted["kept"]] == [f"aws:s3-bucket/{BUCKET}"]
    seen = story["delete"].seen
    assert [key for key in seen["kubernetes"]["demo"] if "anyscale" in key or "envoy" in key] == []
    assert seen["aws"]["load_balancers"] == seen["aws"]["oidc_providers"] == {}


def test_delete_by_scope_again_has_nothing_to_do(story: Machine) -> None:
    assert story["delete again"].done["removed"] == []
    assert story["delete again"].writes == []
