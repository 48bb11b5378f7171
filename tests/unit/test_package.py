"""What is built is what is tracked: two folders of the tree have another place in the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "anyscale_k8s_cli"
# Folders of the tree, and their place in the package.
PLACES = {
    PACKAGE: PACKAGE,
    "providers": f"{PACKAGE}/providers",
    "templates": f"{PACKAGE}/templates",
}
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def tracked() -> list[str]:
    """Every tracked file, whoever owns the clone."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [name for name in listed.stdout.decode().split("\0") if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of the tracked files alone: what else lies in the clone counts for nothing."""
    tree, built = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("built")
    for name in tracked():
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(built)],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_tracked_files_and_no_others(wheel: zipfile.ZipFile) -> None:
    expected = {
        f"{place}/{name.removeprefix(f'{folder}/')}"
        for name in tracked()
        for folder, place in PLACES.items()
        if name.startswith(f"{folder}/")
    }

    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert packed == expected


def test_both_names_of_the_command_and_the_providers_are_in_the_wheel(
    wheel: zipfile.ZipFile,
) -> None:
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    lines = wheel.read(entry_points).decode().splitlines()
    folders = {
        name.split("/")[1]
        for name in tracked()
        if name.startswith("providers/") and name.endswith("/provider.py")
    }

    assert f"anyscale = {PACKAGE}.cli.main:main" in lines
    assert f"anyscale-k8s = {PACKAGE}.cli.main:main" in lines
    registered = {
        line.partition(" = ")[2].split(".")[2].partition(":")[0]
        for line in lines
        if f" = {PACKAGE}.providers." in line
    }
    assert registered == folders
