"""Anyscale's own client, to which the commands that we do not know are handed on.

It has a script `anyscale` too, and of two packages with one script name the one
installed last has it. So it is found as a package and not as a script.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from anyscale_k8s_cli import DISTRIBUTION, errors
from anyscale_k8s_cli.cli.program import NAMES, program

_RUN = (
    "import sys; from importlib import import_module; module, name = sys.argv[1:3]; "
    "sys.argv[:3] = ['anyscale']; sys.exit(getattr(import_module(module), name)())"
)


def find() -> EntryPoint | None:
    """The script `anyscale` of another distribution than ours, if one is installed."""
    for script in entry_points(group="console_scripts", name="anyscale"):
        if script.dist is None or script.dist.name != DISTRIBUTION:
            return script
    return None


def hand_on(arguments: Sequence[str]) -> int:
    """Run the vendor's client with these arguments; its exit code. Raises `usage` without it."""
    script = find()
    if script is None:
        typed = " ".join([program(), *arguments[:2]]) if arguments else program()
        raise errors.CliError(
            errors.USAGE,
            f"`{typed}` is not a command of this tool",
            cause="it is handed on to Anyscale's own client, which is not installed here",
            evidence=(
                f"that client's script is `{NAMES[0]}` too; this tool is `{NAMES[1]}` as well",
            ),
            fix="pip install anyscale",
        )
    command = [sys.executable, "-c", _RUN, script.module, script.attr, *arguments]
    code = subprocess.run(command, check=False).returncode
    # A child ended by a signal counts as the shell counts it.
    return 128 - code if code < 0 else code
