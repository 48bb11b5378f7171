"""What it costs, in CPU time, to be told that something was said wrong.

    anyscale sandbox run -- python benchmarks/refusal_cost.py [ROUNDS]

Runs every refusal of the tests and prints the least CPU time of the rounds, and
whether anything was written. POSIX only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from anyscale_k8s_cli.sandbox.client import AdminClient
from tests.refusals import OUTSIDER, REFUSALS, Refusal

BAR = 2.0
ROUNDS = 3


def cpu_seconds(refusal: Refusal, folder: Path, admin: AdminClient) -> float:
    """User and system time of the command. Raises when it was not refused as it should be."""
    for name, text in refusal.files.items():
        (folder / name).write_text(text)
    who = admin.outsider() if refusal.who == OUTSIDER else {}
    child = subprocess.Popen(
        ["anyscale", *(word.replace("{folder}", str(folder)) for word in refusal.arguments)],
        env={**os.environ, **who, **refusal.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != refusal.exit_code:
        raise RuntimeError(f"{refusal}: exit code {child.returncode}, not {refusal.exit_code}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    admin = AdminClient.from_environment(os.environ)
    print(f"{'refusal':<28} {'code':<28} {'exit':>4} {'CPU s':>6} {'writes':>6}   (bar: {BAR} s)")
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        for refusal in REFUSALS:
            before = admin.last_call()
            seen = min(cpu_seconds(refusal, Path(name), admin) for _ in range(rounds))
            writes = len(admin.calls(after=before, writes_only=True))
            print(
                f"{refusal.name:<28} {refusal.code:<28} {refusal.exit_code:>4} {seen:>6.2f} "
                f"{writes:>6}",
                flush=True,
            )
            worst = max(worst, seen)
    print(f"{'the dearest':<62} {worst:>6.2f}")


if __name__ == "__main__":
    main()
