"""Which GPUs the pod sees: the driver's own program says, else the devices that it was given.

The container runtime brings `nvidia-smi` into any image; GKE's plugin mounts it where no
path leads to it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .report import tell

_PROGRAM = "nvidia-smi"
_OF_GKE = "/usr/local/nvidia/bin"
_ASKED = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
_DEVICES = "nvidia[0-9]*"
_SECONDS = 60


def look(environment: Mapping[str, str], devices: Path = Path("/dev")) -> None:
    """One answer for each GPU, or one that says why there is none."""
    program = shutil.which(_PROGRAM, path=environment.get("PATH")) or shutil.which(
        _PROGRAM, path=_OF_GKE
    )
    if program:
        _ask(program)
        return
    found = sorted(item.name for item in devices.glob(_DEVICES))
    for name in found:
        tell("gpu", name, ok=True, kind="device", said=f"no {_PROGRAM} is in the image")
    if not found:
        tell("gpu", "device", ok=False, kind="none", said=f"no {_PROGRAM}, no /dev/nvidia0")


def _ask(program: str) -> None:
    try:
        asked = subprocess.run(
            [program, *_ASKED],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        tell("gpu", _PROGRAM, ok=False, kind="driver", said=str(problem))
        return
    lines = asked.stdout.decode("utf-8", "replace").strip().splitlines()
    if asked.returncode or not lines:
        said = " ".join(lines) or "it names no device"
        tell("gpu", _PROGRAM, ok=False, kind="driver", said=said)
        return
    for line in lines:
        name, _, rest = line.partition(",")
        tell("gpu", name.strip(), ok=True, kind="driver", said=rest.strip())
