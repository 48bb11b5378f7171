"""`python -m anyscale_k8s_cli.sandbox`: the process that holds the stand-ins of one sandbox.

Not for people: `anyscale sandbox up` and `run` start it. It says `ready` on its
standard output once everything answers, and closes it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from pathlib import Path

# Seldom: the stand-ins consist of many objects that all live as long as the process.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main() -> int:
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    parser = argparse.ArgumentParser(prog="python -m anyscale_k8s_cli.sandbox")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--world", default="{}")
    parser.add_argument("--named", default="")
    parser.add_argument("--lifeline", action="store_true")
    options = parser.parse_args()
    os.umask(0o077)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

    from anyscale_k8s_cli.sandbox.hold import Held, hold
    from anyscale_k8s_cli.sandbox.kubernetes.standin import NotMade

    held = Held(options.folder, options.record, options.world, options.lifeline, options.named)
    try:
        asyncio.run(hold(held))
    except NotMade as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
