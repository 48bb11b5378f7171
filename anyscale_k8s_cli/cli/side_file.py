"""A file that a command writes beside its work, such as its log."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from anyscale_k8s_cli import errors


class SideFile(io.TextIOWrapper):
    """Appends to a file. What no longer fits is told once and is no reason to stop.

    Raises `usage` when it cannot be opened; `option` is what named it.
    """

    def __init__(self, path: Path, option: str) -> None:
        self._path = path
        self._option = option
        self._broken = False
        try:
            # Unbuffered: what could not be written is not tried again at the end.
            raw = open(path, "ab", buffering=0)  # noqa: SIM115 - closed with this one
        except OSError as problem:
            raise errors.CliError(
                errors.USAGE,
                f"{option}: cannot write {path}",
                cause=problem.strerror or "",
                fix=f"give {option} a file in a folder that you may write to",
            ) from problem
        super().__init__(raw, encoding="utf-8", write_through=True)

    def write(self, text: str, /) -> int:
        if not self._broken:
            try:
                return super().write(text)
            except OSError as problem:
                self._broken = True
                why = f"{self._option}: cannot write {self._path}: {problem.strerror}"
                sys.stderr.write(f"! {why}; it ends here, the command goes on\n")
        return len(text)
