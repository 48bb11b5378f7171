"""The operator's token on a platform that vouches for nobody: made, kept, replaced, revoked.

The commands are run once, in order; each test looks at another side of what they left.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import httpx
import pytest
import yaml

from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule
from anyscale_k8s_cli.sandbox.world import GenericWorld, World
from tests.e2e.story import Story
from tests.e2e.witness import witness
from tests.processes import UNTRIED, Desk, Sandbox, started

WORLD = World(platforms=("generic",), generic=GenericWorld(gpu_nodes=False))

WHERE = ("--provider", "generic", "--context", "demo", "--region", "onprem")
NAMESPACE = "/api/v1/namespaces/anyscale-operator"
ROTATE = "anyscale cloud rotate-token w"


class Machine(Story):
    """A user's machine, and the tokens that its operator was ever given."""

    def __init__(self, sandbox: Sandbox, private: Path) -> None:
        super().__init__(sandbox)
        self.private = private
        self.cluster = cluster_of(sandbox)
        self.tokens: list[str] = []
        self.holders: set[str] = set()
        self.ledger = ""

    def remember(self) -> str:
        """The operator's token as it is now, and where in the cluster it stands."""
        held = self.cluster.get(f"{NAMESPACE}/secrets/anyscale-cli-token").json()["data"]
        token = base64.b64decode(held["ANYSCALE_CLI_TOKEN"]).decode()
        self.tokens.append(token)
        self.ledger += self.cluster.get(f"{NAMESPACE}/configmaps/anyscale-k8s-ledger").text
        for kind in ("secrets", "configmaps", "pods", "events", "serviceaccounts"):
            for item in self.cluster.get(f"/api/v1/{kind}").json()["items"]:
                if token in readable(item):
                    self.holders.add(f"{kind}/{item['metadata']['name']}")
        return token


def cluster_of(sandbox: Sandbox) -> httpx.Client:
    """The cluster by the kubeconfig that the sandbox gives."""
    config = yaml.safe_load(Path(sandbox.environment["KUBECONFIG"]).read_text(encoding="utf-8"))

    def named(kind: str, name: str) -> dict[str, Any]:
        return dict(next(item for item in config[f"{kind}s"] if item["name"] == name)[kind])

    context = named("context", "demo")
    server, user = named("cluster", context["cluster"]), named("user", context["user"])
    authority = base64.b64decode(server["certificate-authority-data"]).decode()
    trusted = ssl.create_default_context(cadata=authority)
    with NamedTemporaryFile() as pair:
        for part in ("client-certificate-data", "client-key-data"):
            pair.write(base64.b64decode(user[part]))
        pair.flush()
        trusted.load_cert_chain(pair.name)
    return httpx.Client(base_url=server["server"], verify=trusted, timeout=30)


def readable(item: dict[str, Any]) -> str:
    """An object with what is packed in it, but for what Helm packs: that is told of in the docs."""
    text = str(item)
    for value in (item.get("data") or {}).values() if item.get("type") == "Opaque" else ():
        text += base64.b64decode(value).decode(errors="replace")
    return text


@pytest.fixture(scope="module")
def story(
    desks: Callable[[], Desk],
    homes: Callable[[], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Machine]:
    with started(desks(), homes, WORLD) as sandbox:
        made = Machine(sandbox, tmp_path_factory.mktemp("private"))
        tell(made)
        yield made


def tell(story: Machine) -> None:
    private, admin = story.private, story.sandbox.admin
    seen = witness(story.sandbox, private)
    told = ("-v", "--log-file", str(private / "log"), "--events", str(private / "events"))
    setup = ("setup", *WHERE, "--name", "w", "--network", "none", *UNTRIED, "--yes")
    story.tell("too long", *setup, "--use-my-token", "--token-lifetime", "9")
    story.tell("own", "plan", *setup[1:-1], "--use-my-token")
    story.tell("setup", *setup, "--values-file", str(private / "values"), *told, env=seen)
    story.remember()
    story.tell("dry run", "rotate-token", "w", "--dry-run")
    admin.break_("operator-token-age")
    story.tell("ends soon", "status", "w")
    # The chart's hook asks the control plane, which says no once: helm fails after the key is made.
    hook = "POST /api/v2/kubernetes_manager/admission/{}"
    admin.inject(FaultRule(FaultKind.ERROR, operation=hook, times=0))
    story.tell("cut off", "rotate-token", "w", "--yes")
    admin.clear_faults()
    story.tell("rotate", "rotate-token", "w", "--yes", "--token-lifetime", "90")
    story.remember()
    story.tell("after", *setup)
    admin.break_("operator-token")
    story.tell("revoked", "status", "w")
    story.tell("mended", "rotate-token", "w", "--yes", fresh_home=True)
    story.remember()
    story.tell("delete", "delete", "w", *WHERE[:2], "--yes", fresh_home=True)


def keys(seen: dict[str, Any]) -> list[dict[str, Any]]:
    """The keys of service accounts that were not revoked."""
    people = {item["user_id"] for item in seen["control_plane"]["service_accounts"]}
    named = [
        item for item in seen["control_plane"]["api_keys"] if item["name"].startswith("anyscale-")
    ]
    return [item for item in named if item["revoked_at"] is None] if people else []


def check_of(document: dict[str, Any]) -> dict[str, Any]:
    return next(dict(item) for item in document["checks"] if item["code"] == "operator-token")


def test_what_contradicts_itself_is_refused(story: Machine) -> None:
    assert story["too long"].ended.code == 1
    assert story["too long"].document["error"]["code"] == "invalid-spec"
    assert story["too long"].writes == []


def test_a_persons_own_token_is_used_only_when_asked_for_and_warned_of(story: Machine) -> None:
    page = story["own"]
    assert not [key for key in page.changes if key.startswith("anyscale:api-key")]
    (own,) = [key for key in page.changes if key.startswith("anyscale:own-token/")]
    assert page.changes[own] == "adopt"
    found = check_of(page.document)
    assert found["status"] == "warn"
    assert "a person's own token: it expires on" in found["detail"]


def test_setup_makes_an_account_and_one_key(story: Machine) -> None:
    page = story["setup"]
    assert page.done["health"] == "HEALTHY"
    (account,) = page.seen["control_plane"]["service_accounts"]
    assert page.changes[f"anyscale:service-account/{account['name']}"] == "create"
    assert page.changes[f"anyscale:api-key/{account['name']}"] == "create"
    (key,) = keys(page.seen)
    assert "365 days" in check_of(page.document)["detail"]
    made = next(item for item in page.done["resources"] if item["kind"] == "anyscale:api-key")
    assert made["id"] == key["hex_hashed_id"]
    assert key["hex_hashed_id"] in story.ledger


def test_setup_after_a_rotation_writes_nothing(story: Machine) -> None:
    assert story["after"].done["summary"]["update"] == 0
    assert story["after"].writes == []


def test_a_dry_run_of_a_rotation_writes_nothing(story: Machine) -> None:
    page = story["dry run"]
    assert page.done["key"] is None
    assert page.writes == []
    assert sorted(page.changes.values()) == ["none", "update", "update"]


def test_a_key_that_ends_soon_is_warned_of(story: Machine) -> None:
    found = check_of(story["ends soon"].done)
    assert found["status"] == "warn"
    assert ROTATE in found["detail"]


def test_a_way_in_that_was_not_wanted_is_warned_of(story: Machine) -> None:
    verdicts = {item["code"]: item["status"] for item in story["ends soon"].done["checks"]}
    assert verdicts["operator-gateway"] == "warn"
    assert "fail" not in verdicts.values()


def test_a_rotation_that_is_cut_off_leaves_the_operator_well(story: Machine) -> None:
    assert story["cut off"].ended.code != 0
    assert story["cut off"].document["revoked"] == []
    assert len(keys(story["cut off"].seen)) == 2
    (cloud,) = story["cut off"].seen["control_plane"]["clouds"]
    assert [item["operator_status"] for item in cloud["resources"]] == ["HEALTHY"]


def test_the_same_command_then_ends_with_one_key(story: Machine) -> None:
    page = story["rotate"]
    assert page.done["health"] == "HEALTHY"
    (key,) = keys(page.seen)
    assert page.done["key"]["id"] == key["hex_hashed_id"]
    assert page.done["revoked"]
    assert story.tokens[0] != story.tokens[1]


def test_a_key_that_was_revoked_is_the_cause_and_the_command_mends_it(story: Machine) -> None:
    page = story["revoked"]
    assert page.ended.code == 6
    assert "revoked" in page.document["cause"]
    assert page.document["command"] == ROTATE
    assert story["mended"].done["health"] == "HEALTHY"
    assert len(keys(story["mended"].seen)) == 1


def test_a_token_is_nowhere_but_where_it_belongs(story: Machine) -> None:
    assert len(set(story.tokens)) == 3
    assert story.holders == {"secrets/anyscale-cli-token"}
    left = {
        name: (story.private / name).read_text() for name in ("log", "events", "notes", "values")
    }
    left |= {f"{name} out": page.ended.out for name, page in story.pages.items()}
    left |= {f"{name} err": page.ended.err for name, page in story.pages.items()}
    left |= {"ledger": story.ledger, "calls": str(story.sandbox.admin.calls())}
    assert "helm" in left["notes"], "helm was seen"
    for place, text in left.items():
        for token in (*story.tokens, story.sandbox.environment["ANYSCALE_CLI_TOKEN"]):
            assert token not in text, place
    home = Path(story.sandbox.record.environment["HOME"])
    for path in home.rglob("*"):
        if path.is_file():
            assert not [token for token in story.tokens if token.encode() in path.read_bytes()], (
                path
            )


def test_delete_revokes_the_key_and_removes_the_account_after_the_operator(story: Machine) -> None:
    page = story["delete"]
    removed = {item["kind"] for item in page.done["removed"]}
    assert {"anyscale:service-account", "anyscale:api-key"} <= removed
    assert page.done["left"] == []
    assert page.seen["control_plane"]["service_accounts"] == []
    assert keys(page.seen) == []
    order = [line.partition(" /")[2].split(" ")[0] for line in page.writes]
    revoked = next(place for place, path in enumerate(order) if "api_keys" in path)
    assert any("organization_collaborators" in path for path in order[revoked:])
    gone = next(n for n, line in enumerate(page.writes) if "deployments/anyscale-operator" in line)
    assert gone < revoked
