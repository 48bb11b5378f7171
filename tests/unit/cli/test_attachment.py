"""`--sandbox`: the sandbox's environment in place of the real one, before anything reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from anyscale_k8s_cli import sandbox
from anyscale_k8s_cli.cli.sandbox import attachment
from anyscale_k8s_cli.operations.requests import SetupRequest
from anyscale_k8s_cli.sandbox import worlds
from anyscale_k8s_cli.sandbox.world import World

from . import toys
from .conftest import Invoke

READY = "eks-old-kubernetes"
WORLDS = Path(worlds.__file__).parent
INSIDE = {"HOME": "/sandbox/home", "ANYSCALE_HOST": "http://127.0.0.1:1", "AWS_REGION": "r"}


@dataclass(frozen=True)
class Record:
    url: str = "http://127.0.0.1:1"
    pid: int = 42
    directory: Path = Path("/sandbox")
    environment: dict[str, str] = field(default_factory=lambda: dict(INSIDE))
    world: str = ""
    setup: str = ""


@dataclass
class Supervisor:
    """Stands where the sandbox's own would."""

    record: Record | None = None
    ran: list[str] = field(default_factory=list)

    def attached(self) -> Record | None:
        return self.record

    def up(self, wait: float, *, world: World | None = None, named: str = "") -> Record:
        assert wait > 0
        self.record = Record(world=named, setup=world.setup if world else "")
        return self.record

    def down(self) -> bool:
        running, self.record = self.record is not None, None
        return running

    def run(self, command: list[str], *, world: World | None = None) -> int:
        self.ran += [*command, world.about] if world else command
        return 17


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    toy = Supervisor()
    before = dict(os.environ)
    monkeypatch.setattr(sandbox, "supervisor", toy, raising=False)
    yield toy
    os.environ.clear()
    os.environ.update(before)


REAL = {
    "AWS_PROFILE": "production",
    "GOOGLE_APPLICATION_CREDENTIALS": "/real.json",
    "AZURE_CLIENT_SECRET": "s",
    "KUBECONFIG": "/home/me/.kube/config",
    "https_proxy": "http://proxy",
    "SSH_AUTH_SOCK": "/agent",
    "MY_TOKEN": "t",
}


def test_setup_starts_one_says_so_and_sees_nothing_else(
    supervisor: Supervisor, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in REAL.items():
        monkeypatch.setenv(name, value)
    operation = toys.of_setup()
    toys.instead_of_setup(monkeypatch, operation)

    arguments = ("--provider", "eks", "--cluster-name", "demo", "--name", "a", "--yes", "--sandbox")
    ended = invoke("cloud", "setup", *arguments)

    assert ended.code == 0
    assert "No sandbox is running; starting one." in ended.err
    assert isinstance(operation.request, SetupRequest)
    assert INSIDE.items() <= operation.request.environment.items()
    assert not set(REAL) & set(operation.request.environment)
    assert not set(REAL) & set(os.environ)
    assert os.environ["PATH"].startswith(f"/sandbox/bin{os.pathsep}")
    assert str(operation.request.home) == "/sandbox/home"


@pytest.mark.parametrize(
    "arguments",
    [("cloud", "list"), ("cloud", "delete", "prod", "--yes"), ("cloud", "status", "prod")],
    ids=" ".join,
)
def test_other_commands_say_what_to_type(
    arguments: tuple[str, ...], supervisor: Supervisor, invoke: Invoke
) -> None:
    ended = invoke(*arguments, "--sandbox")

    assert ended.code == 1
    assert ended.err == (
        "✗ No sandbox is running\n"
        "  fix:   anyscale sandbox up\n"
        "  code:  sandbox-not-running (exit code 1)\n"
    )


def test_up_status_env_and_down(supervisor: Supervisor, invoke: Invoke) -> None:
    up = invoke("sandbox", "up", "-o", "json")
    status = invoke("sandbox", "status", "-o", "json")
    env = invoke("sandbox", "env")
    down = invoke("sandbox", "down", "-o", "json")

    assert json.loads(up.out) == {
        "schema": "anyscale-k8s/sandbox-up/v1",
        "url": "http://127.0.0.1:1",
        "pid": 42,
        "world": "",
        "setup": "",
    }
    assert json.loads(status.out)["schema"] == "anyscale-k8s/sandbox-status/v1"
    assert "export ANYSCALE_HOST=http://127.0.0.1:1\n" in env.out
    assert json.loads(down.out)["was_running"] is True
    assert supervisor.record is None
    assert invoke("sandbox", "status").code == 1


def test_run_gives_the_exit_code_of_the_command(supervisor: Supervisor, invoke: Invoke) -> None:
    ended = invoke("sandbox", "run", "--", "prog", "-o", "json", "--flag")

    assert ended.code == 17
    assert supervisor.ran == ["prog", "-o", "json", "--flag"]
    assert ended.out == ""


def test_a_world_is_chosen_by_name_and_shown_with_its_setup(
    supervisor: Supervisor, invoke: Invoke
) -> None:
    up = invoke("sandbox", "up", "--world", READY)

    assert f"world    {READY}\n" in up.out
    assert f"anyscale cloud setup --sandbox {worlds.read(READY).setup}\n" in up.out
    assert invoke("sandbox", "up", "--world", READY).code == 0
    other = invoke("sandbox", "up", "--world", str(WORLDS / f"{READY}.yaml"))
    assert other.code == 1
    assert f"it was started with {READY}" in other.err


def test_a_world_is_chosen_by_file(supervisor: Supervisor, invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("about: somebody's own\neks: {gpu_nodes: false}\n", encoding="utf-8")

    assert invoke("sandbox", "run", "--world", str(file), "--", "prog").code == 17
    assert supervisor.ran == ["prog", "somebody's own"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("eks: {gpus: 1}", "eks.gpus in FILE: no such key (did you mean gpu_nodes?)"),
        ("eks: {version: 1.28}", "eks.version in FILE: expected text, found the number 1.28"),
        ("eks: {gpu_nodes: maybe}", "eks.gpu_nodes in FILE: expected true or false"),
        ("behaviour: {activate: 1}", "behaviour.activate in FILE: no such key (did you mean"),
        ("platforms: [ec2]", "platforms.0 in FILE: 'ec2' is not one of 'eks', 'gke'"),
        ("kubernetes: {objects: {}}", "kubernetes.objects in FILE: expected a list"),
        ("- eks", "FILE holds no world"),
    ],
)
def test_what_is_wrong_with_a_world_is_named(
    text: str, said: str, supervisor: Supervisor, invoke: Invoke, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")

    ended = invoke("sandbox", "up", "--world", str(file))

    assert ended.code == 1
    assert said.replace("FILE", str(file)) in ended.err
    assert supervisor.record is None


def test_worlds_that_nobody_made_are_refused(supervisor: Supervisor, invoke: Invoke) -> None:
    ended = invoke("sandbox", "up", "--world", READY.replace("old", "odl"))

    assert ended.code == 1
    assert f"did you mean {READY}?" in ended.err
    assert "fix:   anyscale sandbox worlds\n" in ended.err


def test_the_ready_worlds_are_listed(invoke: Invoke) -> None:
    shown = invoke("sandbox", "worlds", "-o", "json")

    document = json.loads(shown.out)
    assert document["schema"] == "anyscale-k8s/sandbox-worlds/v1"
    [old] = [item for item in document["worlds"] if item["name"] == READY]
    world = worlds.read(READY)
    assert old == {
        "name": READY,
        "platforms": ["eks"],
        "about": world.about,
        "setup": world.setup,
        "ends": world.ends,
    }
    told = invoke("sandbox", "worlds").out
    assert all(f"\n{name} " in told for name in worlds.names())


def test_what_a_shell_must_forget() -> None:
    present = {**REAL, "PATH": "/bin", "AWS_REGION": "real"}

    assert attachment.real_names(present, INSIDE) == [
        "AWS_PROFILE",
        "AZURE_CLIENT_SECRET",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "KUBECONFIG",
        "https_proxy",
    ]


def test_a_look_into_a_sandbox_that_is_not_there_is_refused(
    supervisor: Supervisor, invoke: Invoke
) -> None:
    shown = invoke("cloud", "list", "--sandbox", "-o", "json")

    assert shown.code == 1
    assert json.loads(shown.out)["error"]["code"] == "sandbox-not-running"
    assert json.loads(shown.out)["error"]["fix"] == "anyscale sandbox up"
