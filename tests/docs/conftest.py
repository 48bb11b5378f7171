"""The documentation as tests see it: its pages, and the script that writes parts of them."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def pages() -> list[Path]:
    """Every tracked page."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--", "*.md"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.decode().split("\0") if (ROOT / name).is_file()]


@cache
def generator() -> ModuleType:
    """`docs/generate.py`, which is no part of a package."""
    found = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def sources() -> dict[Path, str]:
    """The modules of the core and of every platform, with their text."""
    files: list[Path] = generator().sources()
    return {file: file.read_text(encoding="utf-8") for file in files}


def parsed(*, where: str) -> Iterator[tuple[Path, ast.Module]]:
    """The modules in whose text something stands, as syntax trees."""
    return ((file, ast.parse(text)) for file, text in sources().items() if where in text)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))
