"""What our help costs, in CPU time, beside a two-command Typer app's own.

    python benchmarks/help_cost.py [PAIRS]

Runs ours and the yardstick in turn, so that what else the machine does falls on
both, and prints each pair, the medians and their ratio. POSIX only.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BASELINE = [sys.executable, str(Path(__file__).parent / "yardstick" / "two_commands.py")]
OURS = [
    sys.executable,
    "-c",
    "import sys; sys.argv[0] = 'anyscale'; "
    "from anyscale_k8s_cli.cli.main import main; sys.exit(main())",
]
PAIRS = 11


@dataclass(frozen=True)
class Row:
    """One comparison: our arguments, the yardstick's, and the ratio that is allowed."""

    ours: list[str]
    baseline: list[str]
    bar: float


ROWS = (
    Row(["--help"], ["--help"], 1.3),
    Row(["cloud", "setup", "--help"], ["hello", "--help"], 1.5),
)


def cpu_ms(command: list[str]) -> float:
    """User and system time of a child, in milliseconds. Raises when it fails."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"exit code {child.returncode}: {command}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def measure(row: Row, pairs: int) -> float:
    """The ratio of the medians; prints every pair."""
    print(f"\nanyscale {' '.join(row.ours)}  against  baseline {' '.join(row.baseline)}")
    print(f"{'pair':>6} {'ours ms':>9} {'baseline ms':>12} {'ratio':>7}")
    for command in (OURS + row.ours, BASELINE + row.baseline):
        cpu_ms(command)  # the first run fills caches
    seen = []
    for number in range(1, pairs + 1):
        ours, baseline = cpu_ms(OURS + row.ours), cpu_ms(BASELINE + row.baseline)
        seen.append((ours, baseline))
        print(f"{number:>6} {ours:>9.1f} {baseline:>12.1f} {ours / baseline:>7.2f}")
    ours, baseline = (statistics.median(column) for column in zip(*seen, strict=True))
    ratio = ours / baseline
    print(f"{'median':>6} {ours:>9.1f} {baseline:>12.1f} {ratio:>7.2f}   (bar: {row.bar})")
    return ratio


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    for row in ROWS:
        measure(row, pairs)


if __name__ == "__main__":
    main()
