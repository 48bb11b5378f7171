"""How libraries are imported: without what they can do without, and where one is not there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from anyscale_k8s_cli import errors


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


@contextmanager
def needing(what: str, extra: str) -> Iterator[None]:
    """Around imports: raises `package-missing` when those of an extra are not installed."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("anyscale_k8s_cli"):
            raise
        raise errors.CliError(
            errors.PACKAGE_MISSING,
            f"{what} needs the package {missing.name!r}",
            cause=f"the extra {extra!r} is not installed",
            fix=f"pip install 'anyscale-k8s-cli[{extra}]'",
        ) from missing
