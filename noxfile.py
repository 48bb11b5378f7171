"""What is run in development and in CI: `nox --list` tells of each session.

Everything is tried on the installed package and not on the clone: two folders
of the clone have another place in the package, so only what is installed is
what users get. Arguments after `--` are handed on to the session's tool.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nox

ROOT = Path(__file__).parent
SOURCES = ("anyscale_k8s_cli", "providers", "templates")

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_venv = "yes"
# Ten times as fast as pip; where it is missing, pip does.
nox.options.default_venv_backend = "uv|virtualenv"

DEMO = """
set -e
anyscale cloud setup --provider eks --cluster-name demo --region us-west-2 --name prod --yes
anyscale cloud status prod
anyscale cloud delete prod --yes
"""


@nox.session
def demo(session: nox.Session) -> None:
    """A cloud set up, looked at and deleted in a sandbox. Arguments are run there instead."""
    _install(session, ".[sandbox]")
    session.run("anyscale", "sandbox", "run", "--", *(session.posargs or ("sh", "-c", DEMO)))


@nox.session
def lint(session: nox.Session) -> None:
    """Format, lint, and who may import whom. Arguments go to `ruff check`."""
    _install(session, "ruff", "import-linter")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".", *session.posargs)
    _install(session, "--no-deps", "--force-reinstall", ".")
    rules, cache = ROOT / "pyproject.toml", session.cache_dir / "imports"
    session.chdir(session.create_tmp())  # in the clone, the clone would be looked at
    session.run("lint-imports", "--config", str(rules), "--cache-dir", str(cache))


@nox.session
def types(session: nox.Session) -> None:
    """Types of every file of the installed package. Arguments go to mypy."""
    _install(session, ".[types]")
    rules, cache = ROOT / "pyproject.toml", session.cache_dir / "types"
    expected = _sources(session)
    session.chdir(session.create_tmp())  # in the clone, mypy would see no provider
    said = session.run(
        *("mypy", "--config-file", str(rules), "--cache-dir", str(cache)),
        *("-p", "anyscale_k8s_cli", *session.posargs),
        silent=True,
        success_codes=[0, 1],
    )
    session.log(said)
    checked = re.search(r"no issues found in (\d+) source files", str(said))
    if checked is None:
        session.error("mypy is not content")
    if int(checked[1]) != expected:
        session.error(f"mypy looked at {checked[1]} files of {expected}")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests. Arguments go to pytest: `nox -s tests -- tests/unit -k plan`.

    A test that failed beside others is tried once more, alone: whole commands and
    sandboxes run in them, and on a small machine one may starve. What fails twice fails.
    """
    _install(session, ".[test]")
    # Children started by tests must not find the clone before the installed package. What is
    # compiled is kept, whatever the environment says: hundreds of processes would do it again.
    alone = {"PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": ""}
    failed = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
    failed.unlink(missing_ok=True)
    # First by one process, and not by each worker at the same time.
    session.run("pytest", "--collect-only", "-qq", *session.posargs, env=alone, silent=True)
    session.run(
        # More at a time than a small machine has cores: most of them wait for something.
        *("pytest", "--numprocesses=6", "--dist=loadfile", "--no-loadscope-reorder"),
        *session.posargs,
        env=alone,
        success_codes=[0, 1],
    )
    if failed.exists() and failed.read_text(encoding="utf-8").strip() != "{}":
        session.log("some failed beside others; now each of them alone")
        session.run("pytest", "--last-failed", *session.posargs, env=alone)


@nox.session
def docs(session: nox.Session) -> None:
    """Pages against the code. Arguments go to pytest; `-- write` writes what follows from code."""
    _install(session, ".[test]")
    if session.posargs == ["write"]:
        session.run("python", "docs/generate.py")
    else:
        session.run("pytest", "tests/docs", *session.posargs, env={"PYTHONSAFEPATH": "1"})


@nox.session
def bench(session: nox.Session) -> None:
    """Timings, which never pass or fail. One alone, with its arguments: `-- help_cost 5`."""
    _install(session, ".[sandbox]")
    programs = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
    chosen, *arguments = session.posargs or ["all"]
    for name in programs if chosen == "all" else [chosen]:
        program = ROOT / "benchmarks" / f"{name}.py"
        session.run("python", str(program), *arguments, env={"PYTHONSAFEPATH": "1"})


def _install(session: nox.Session, *what: str) -> None:
    # A build folder of an earlier install would bring back modules that are gone.
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    # Clouds' SDKs are large, and most of what is in them is never imported.
    session.install(
        *("--no-compile", "--constraint", str(ROOT / "constraints.txt"), *what),
        # uv trusts what the machine trusts, as pip is told to where it must.
        env={"UV_SYSTEM_CERTS": "1"},
    )


def _sources(session: nox.Session) -> int:
    """How many sources mypy must see: a folder without `__init__.py` counts as one, too."""
    listed = session.run("git", "ls-files", "--", *SOURCES, external=True, silent=True, log=False)
    files = [Path(name) for name in str(listed).splitlines()]
    folders = {folder for file in files for folder in file.parents if folder.name}
    bare = [folder for folder in folders if not (ROOT / folder / "__init__.py").is_file()]
    return sum(file.suffix == ".py" for file in files) + len(bare)
