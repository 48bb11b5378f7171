"""How providers are found.

They are named by the entry-point group `anyscale_k8s_cli.providers`, ours and other people's
alike, and are imported when one is asked for.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from types import ModuleType

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.absence import Absences
from anyscale_k8s_cli.imports import needing
from anyscale_k8s_cli.provider import Provider
from anyscale_k8s_cli.run import Run

ENTRY_POINTS = "anyscale_k8s_cli.providers"

# The vendor's client says whose cloud it is; we say which Kubernetes.
VENDOR_NAMES = {"aws": "eks", "gcp": "gke", "azure": "aks"}
PLATFORMS = ("eks", "gke", "aks", "coreweave", "nebius", "oke", "generic")


def canonical(name: str) -> str:
    """`aws` means `eks`, and so on; platform names stay."""
    lowered = name.lower()
    return VENDOR_NAMES.get(lowered, lowered)


@cache
def registered() -> tuple[EntryPoint, ...]:
    """Who provides a platform. Asked once: every installed package is looked into for it."""
    return tuple(entry_points(group=ENTRY_POINTS))


def available() -> list[str]:
    """The names of the providers that are installed."""
    return sorted({entry.name for entry in registered()})


def beside(entry: EntryPoint, name: str) -> ModuleType | None:
    """A module of a provider's package, imported without the provider; None where it has none."""
    path = f"{entry.module}.{name}"
    try:
        there = find_spec(path) is not None
    except ModuleNotFoundError as missing:
        if missing.name != path:
            raise
        there = False  # a single module, which has no others in it
    return import_module(path) if there else None


def absences(name: str) -> Absences:
    """Why a platform does not know what others do, by the module `absences` of its package."""
    for entry in entry_points(group=ENTRY_POINTS, name=canonical(name)):
        found: Absences = getattr(beside(entry, "absences"), "ABSENCES", {})
        return found
    return {}


def load(name: str, run: Run) -> Provider:
    """The provider of that name. A provider that fails to import fails loudly.

    Raises `provider-unavailable` for a name nobody registered and
    `package-missing` when the platform's SDK is not installed.
    """
    platform = canonical(name)
    matches = [entry for entry in registered() if entry.name == platform]
    if not matches:
        known = ", ".join(available())
        cause = (
            f"this version has no provider for {platform}"
            if platform in PLATFORMS
            else f"no installed package provides {name!r}"
        )
        raise errors.CliError(
            errors.PROVIDER_UNAVAILABLE,
            f"--provider: {name!r} is not available",
            cause=cause,
            fix=f"use one of: {known} ({', '.join(VENDOR_NAMES)} are accepted as other names)",
        )
    with needing(f"The provider {platform}", _EXTRAS.get(platform, platform)):
        factory = matches[0].load()
    provider: Provider = factory(run)
    return provider


_EXTRAS = {**{platform: vendor for vendor, platform in VENDOR_NAMES.items()}, "oke": "oci"}
