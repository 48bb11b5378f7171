"""How a library is imported without what it can do without."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """These modules cannot be imported meanwhile, unless they are imported already.

    For what a library tries to import, and goes on without where it is not installed.
    A library that no longer does so takes no notice. To be used where modules are imported,
    not at the same time as other threads import these.
    """
    held = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(held))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in held:
            if sys.modules[name] is None:
                del sys.modules[name]
