"""What helm is called with: arguments, environment, standard input."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import semver

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.charts import ChartArchive
from anyscale_k8s_cli.cluster.helm import MARGIN, Helm
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable, HelmSource
from anyscale_k8s_cli.events import CallMade, Event
from anyscale_k8s_cli.run import Run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake helm is a script")

# Writes down what it was given, and answers as `helm upgrade --output json` does.
FAKE = """#!{python}
import json, os, sys
seen = {{"argv": sys.argv[1:], "environment": dict(os.environ), "stdin": sys.stdin.read()}}
with open({log!r}, "w") as file:
    json.dump(seen, file)
print(json.dumps({{"version": 7}}))
"""
CHART = ChartArchive(Path("/charts/small.tgz"), "small", "1.0.0", "")


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log.json"
        self.events: list[Event] = []
        self.path = folder / "bin" / "helm"
        self.path.parent.mkdir()
        self.path.write_text(FAKE.format(python=sys.executable, log=str(self.log)))
        self.path.chmod(0o755)

    def helm(
        self, version: str, user: Mapping[str, str] | None = None, deadline: float | None = None
    ) -> Helm:
        executable = HelmExecutable(self.path, semver.Version.parse(version), HelmSource.PATH)
        run = Run(listeners=(self.events.append,), deadline=deadline)
        user = {"HOME": "/home/me", **(user or {})}
        return Helm(executable, self.folder / "private" / "kubeconfig", run, user)

    @property
    def seen(self) -> dict[str, Any]:
        seen: dict[str, Any] = json.loads(self.log.read_text())
        return seen


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "private").mkdir(mode=0o700)
    return World(tmp_path)


async def upgrade(helm: Helm, **more: Any) -> int:
    return await helm.upgrade("small", "apps", CHART, {"secretish": "marker"}, timeout=60, **more)


async def test_values_go_by_stdin_alone(world: World) -> None:
    assert await upgrade(world.helm("4.3.1")) == 7
    assert json.loads(world.seen["stdin"]) == {"secretish": "marker"}
    assert "marker" not in json.dumps([world.seen["argv"], world.seen["environment"]])
    assert "marker" not in "".join(str(event) for event in world.events)


@pytest.mark.parametrize("version", ["3.17.3", "4.3.1"])
async def test_upgrade_arguments(world: World, version: str) -> None:
    await upgrade(world.helm(version), labels={"a": "1", "b": "2"}, skip_crds=True)
    argv = world.seen["argv"]
    assert argv[:3] == ["upgrade", "small", "/charts/small.tgz"]
    assert argv[argv.index("--labels") + 1] == "a=1,b=2"
    assert argv[argv.index("--timeout") + 1] == "60s"
    assert argv[argv.index("--namespace") + 1] == "apps"
    assert argv[argv.index("--kubeconfig") + 1] == str(world.folder / "private" / "kubeconfig")
    assert {"--install", "--reset-values", "--skip-crds", "--wait"} <= set(argv)
    refused = {"--create-namespace", "--take-ownership", "--atomic", "--rollback-on-failure"}
    assert not refused & set(argv)
    newer = {"--server-side=true", "--force-conflicts"}
    assert newer & set(argv) == (newer if version.startswith("4") else set())


async def test_the_environment_is_ours(world: World) -> None:
    user = {
        "HTTPS_PROXY": "http://proxy",
        "SSL_CERT_FILE": "/ca.pem",
        "KUBECONFIG": "/home/me/.kube/config",
        "HELM_DRIVER": "sql",
        "HELM_NAMESPACE": "other",
        "AWS_SECRET_ACCESS_KEY": "marker",
    }
    await upgrade(world.helm("4.3.1", user))
    seen = world.seen["environment"]
    assert seen["HTTPS_PROXY"] == "http://proxy"
    assert seen["SSL_CERT_FILE"] == "/ca.pem"
    assert seen["HELM_DRIVER"] == "secret"
    assert not {"KUBECONFIG", "HELM_NAMESPACE", "AWS_SECRET_ACCESS_KEY"} & set(seen)
    private = str(world.folder / "private")
    for name in ("HOME", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR"):
        assert seen[name].startswith(private)


async def test_logins_to_registries_are_the_users(world: World) -> None:
    await upgrade(world.helm("4.3.1"))
    if sys.platform == "linux":
        expected = "/home/me/.config/helm/registry/config.json"
        assert world.seen["environment"]["HELM_REGISTRY_CONFIG"] == expected
    await upgrade(world.helm("4.3.1", {"HELM_REGISTRY_CONFIG": "/mine.json"}))
    assert world.seen["environment"]["HELM_REGISTRY_CONFIG"] == "/mine.json"


async def test_helm_gets_less_time_than_the_command(world: World) -> None:
    await upgrade(world.helm("4.3.1", deadline=time.monotonic() + MARGIN + 20.4))
    argv = world.seen["argv"]
    assert argv[argv.index("--timeout") + 1] == "20s"


async def test_no_helm_when_the_time_is_nearly_up(world: World) -> None:
    with pytest.raises(errors.CliError) as caught:
        await upgrade(world.helm("4.3.1", deadline=time.monotonic() + MARGIN - 1))
    assert caught.value.code is errors.TIMED_OUT
    assert not world.log.exists()


async def test_rendering_has_no_cluster(world: World) -> None:
    await world.helm("4.3.1").template("small", "apps", CHART, {}, api_versions=["a/v1", "b/v1"])
    argv = world.seen["argv"]
    assert "--kubeconfig" not in argv
    assert argv.count("--api-versions") == 2


async def test_uninstall_takes_absence_for_success(world: World) -> None:
    await world.helm("3.17.3").uninstall("small", "apps", timeout=60)
    assert {"uninstall", "--ignore-not-found", "--wait"} <= set(world.seen["argv"])


async def test_each_call_is_an_event(world: World) -> None:
    await upgrade(world.helm("4.3.1"))
    [call] = world.events
    assert isinstance(call, CallMade)
    assert (call.service, call.status) == ("helm", "0")
    assert call.call.startswith("upgrade small ")


def test_a_home_is_needed_without_a_kubeconfig(world: World) -> None:
    executable = HelmExecutable(world.path, semver.Version(4), HelmSource.PATH)
    with pytest.raises(ValueError, match="home"):
        Helm(executable, None, Run(), {})
