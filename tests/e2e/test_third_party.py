"""A platform that another package brings: found by its entry point, set up and taken down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anyscale_k8s_cli.sandbox.world import World
from tests.processes import UNTRIED, Desk, started

from .story import Story

PACKAGE = Path(__file__).parents[1] / "third_party"
CLUSTER = ("--provider", "homelab", "--region", "cellar", "--cluster-name", "demo")
SETUP = ("setup", *CLUSTER, "--name", "w", "--gpu", "off", *UNTRIED, "--yes")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as pip lays it out, apart from the environment of the tests."""
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "package"
    source.mkdir()
    for path in ("pyproject.toml", "anyscale_k8s_homelab/__init__.py"):
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_bytes((PACKAGE / path).read_bytes())
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    only = ("--no-deps", "--no-index", "--no-build-isolation", "--target", str(folder))
    subprocess.run([*pip, *only, str(source)], check=True)
    return folder


@pytest.fixture(scope="module")
def story(installed: Path, desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Story]:
    with started(desks(), homes, World(platforms=("generic",))) as sandbox:
        told = Story(sandbox)
        told.tell("without it", *SETUP)
        # What is said to Python is heard by the installed command.
        there = {"PYTHONPATH": str(installed)}
        told.tell("setup", *SETUP, env=there)
        told.tell("again", *SETUP, env=there)
        told.tell("delete", "delete", "w", "--yes", env=there)
        yield told


def test_without_the_package_there_is_no_such_platform(story: Story) -> None:
    error = story["without it"].document["error"]
    assert error["code"] == "provider-unavailable"
    assert "no installed package provides 'homelab'" in error["cause"]


def test_it_is_set_up_like_any_other(story: Story) -> None:
    done = story["setup"].done
    assert done["provider"] == "homelab"
    assert done["health"] == "HEALTHY"
    services = [
        item
        for item in story["setup"].seen["kubernetes"]["generic/demo"].values()
        if item["kind"] == "Service" and item["spec"].get("type") == "LoadBalancer"
    ]
    assert [item["metadata"]["annotations"]["metallb.io/address-pool"] for item in services] == [
        "public"
    ]
    assert set(story["again"].changes.values()) <= {"none", "keep", "adopt"}
    assert story["again"].writes == []


def test_it_is_taken_down_by_name(story: Story) -> None:
    done = story["delete"].done
    assert done["left"] == []
    assert {item["key"].partition("/")[0] for item in done["kept"]} == {"s3-bucket"}
