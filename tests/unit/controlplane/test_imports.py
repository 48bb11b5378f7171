"""What a command pays that only needs to know whether somebody is logged in."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["", ".credentials", ".origin"])
def test_nothing_heavy_is_imported(module: str) -> None:
    program = (
        f"import sys, anyscale_k8s_cli.controlplane{module}\n"
        "print(sorted({'httpx', 'pydantic', 'ssl', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
