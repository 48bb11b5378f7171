"""Shell completion: commands, options and platforms, without importing what is not asked for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from anyscale_k8s_cli.cli.cloud import CloudCommands

from .conftest import Invoke

COMPLETE = (
    "import sys; sys.argv[0] = 'anyscale'; from anyscale_k8s_cli.cli.main import main; main()"
)


def completed(*words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    child = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", COMPLETE],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "_ANYSCALE_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["anyscale", *words]),
            "COMP_CWORD": str(len(words)),
        },
    )
    for heavy in ("boto3", "kubernetes", "httpx", "anyscale_k8s_cli.operations"):
        assert f" {heavy}\n" not in child.stderr
    return child.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("c",), ["cloud"]),
        (
            ("cloud", ""),
            [*CloudCommands.table],
        ),
        (("cloud", "setup", "--aws"), ["--aws-profile"]),
        (
            ("cloud", "setup", "--waive", "gke"),
            ["gke-pool-metadata", "gke-subnet-named", "gke-workload-identity"],
        ),
        (("cloud", "verify", "--waive", "gpu"), ["gpu-labels", "gpu-plugin"]),
        (("cloud", "verify", "--only", "dr"), ["drift"]),
        (("cloud", "setup", "--expose", "i"), ["internal"]),
        (("cloud", "setup", "--provider", "e"), ["eks"]),
        (("sandbox", "st"), ["status"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_completion(words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(*words) == offered


def test_the_script_for_the_shell(capsys: pytest.CaptureFixture[str], invoke: Invoke) -> None:
    with pytest.raises(SystemExit) as ended:
        invoke("--show-completion")
    assert ended.value.code in (0, 1)  # 1 where no shell is found around us
