"""The tree of commands: what it offers, how its help reads, and what help imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from anyscale_k8s_cli import provider_registry
from anyscale_k8s_cli.cli import main, tree

from .conftest import Ended, Invoke

JARGON = re.compile(r"\b(IRSA|reconcil\w+|idempoten\w+|CRDs?|RBAC|payload|slug|boolean)\b", re.I)


@cache
def commands() -> dict[tuple[str, ...], Any]:
    """Every command by its path; not at import, since each worker collects every test."""
    return dict(tree.walk(main.Commands))


def test_the_tree_is_the_one_that_is_documented() -> None:
    assert {" ".join(path) for path in commands()} == {
        *("cloud", "cloud plan", "cloud setup", "cloud status", "cloud list", "cloud get"),
        *(
            "cloud init",
            "cloud explain",
            "cloud review",
            "cloud verify",
            "cloud register",
            "cloud rotate-token",
            "cloud permissions",
        ),
        "cloud delete",
        *("mirror", "mirror list"),
        *("doctor", "login", "logout", "auth", "auth show", "auth fix"),
        *("sandbox", "sandbox up", "sandbox status", "sandbox run", "sandbox env", "sandbox down"),
        *("sandbox break", "sandbox mend", "sandbox worlds"),
    }


def reads_well(shown: Ended) -> bool:
    head, _, examples = shown.out.partition("Examples:\n")
    whole = examples.strip().replace("\\\n", "").splitlines()
    return (
        (shown.code, shown.err) == (0, "")
        and bool(whole)
        and all("anyscale" in line for line in whole)
        and max(len(line) for line in shown.out.splitlines()) <= 80
        # Options, and values that are typed as they are, are names.
        and not JARGON.search(re.sub(r"--[a-z-]+|[a-z-]+(\|[a-z-]+)+", "", head))
    )


def test_help_reads_well(invoke: Invoke) -> None:
    shown = {path: invoke(*path, "--help") for path in [(), *commands()]}

    assert {path: ended for path, ended in shown.items() if not reads_well(ended)} == {}


@pytest.mark.parametrize("path", [(), ("cloud",), ("sandbox",), ("auth",)], ids=" ".join)
def test_a_group_alone_shows_its_help(path: tuple[str, ...], invoke: Invoke) -> None:
    assert invoke(*path) == invoke(*path, "--help")


def test_examples_use_the_name_that_was_typed(invoke: Invoke) -> None:
    shown = invoke("cloud", "setup", "-h", program="anyscale-k8s")

    assert "Usage: anyscale-k8s cloud setup" in shown.out
    assert "  anyscale-k8s cloud setup -f cloud.yaml --yes -o json\n" in shown.out
    assert not re.search(r"anyscale (cloud|login)", shown.out)


def test_summaries_in_the_table_are_sentences() -> None:
    def summary(path: tuple[str, ...]) -> str:
        branch = main.Commands if len(path) == 1 else type(commands()[path[:-1]])
        return branch.table[path[-1]].summary

    summaries = [summary(path) for path in commands()]
    assert [text for text in summaries if not re.fullmatch(r"[A-Z].{,43}\.", text)] == []


# What a command may need to do its work, and no help does. Where one of these is imported,
# so is what stands on it: the SDKs of clouds on `ssl`, settings on `yaml`, models on `pydantic`.
HEAVY = {
    *("asyncio", "boto3", "botocore", "httpx", "kubernetes", "moto", "pydantic", "pyhelm3"),
    *("rich", "ssl", "tenacity", "urllib3", "yaml"),
}
OURS = "anyscale_k8s_cli."
LIGHT = ("cli", "errors")


def imported_by(*lines: Sequence[str]) -> list[set[str]]:
    """Every module that one interpreter has imported after each of these command lines."""
    code = (
        "import json, sys\n"
        "from anyscale_k8s_cli.cli.main import main\n"
        "for line in json.loads(sys.argv[1]):\n"
        "    sys.argv[:] = ['anyscale', *line]\n"
        "    assert main() == 0\n"
        "    print(*sys.modules, file=sys.stderr)"
    )
    argv = [sys.executable, "-c", code, json.dumps(lines)]
    child = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [set(listed.split()) for listed in child.stderr.splitlines()]


def test_help_imports_nothing_heavy() -> None:
    lines = [("--version",), ("--help",), *((*path, "--help") for path in commands())]
    wrong = []
    seen = set[str]()
    for line, modules in zip(lines, imported_by(*lines), strict=True):
        assert "anyscale_k8s_cli.cli.main" in modules
        new = modules - seen
        core = {name for name in new if name.startswith(OURS)}
        heavy = {name for name in new if name.partition(".")[0] in HEAVY}
        heavy |= {name for name in core if name.split(".")[1] not in LIGHT}
        wrong += [f"{' '.join(line)}: {name}" for name in sorted(heavy)]
        seen |= modules

    assert wrong == []


def test_help_of_a_command_imports_no_other() -> None:
    branch = f"{OURS}cli.cloud."
    shared = {f"{branch}{name}" for name in ("choice", "request")}

    of_group, of_command = imported_by(("cloud", "--help"), ("cloud", "setup", "--help"))

    assert not {name for name in of_group if name.startswith(branch)}
    assert {name for name in of_command if name.startswith(branch)} - shared == {f"{branch}setup"}


# By their packages' names; what is in `google` besides is protocol buffers, which others use too.
SDKS = {
    "eks": {"boto3", "botocore"},
    "gke": {"google.auth", "google.cloud"},
    "aks": {"azure", "msal"},
}


@pytest.mark.parametrize("name", sorted(SDKS.keys() & set(provider_registry.available())))
def test_a_platform_brings_no_sdk_but_its_own(name: str) -> None:
    (modules,) = imported_by(("cloud", "permissions", "--provider", name))

    assert modules & SDKS[name]
    assert not modules & set().union(*(sdk for other, sdk in SDKS.items() if other != name))
