"""An install as a cloud.yaml: what its last setup was told, for a file to keep."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.ledger import UNTOLD
from anyscale_k8s_cli.operations.behind import look_behind
from anyscale_k8s_cli.operations.clouds import opened
from anyscale_k8s_cli.operations.requests import StatusRequest
from anyscale_k8s_cli.operations.said import without_secrets
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import SPEC_VERSION, Settings
from anyscale_k8s_cli.spec_loading import nested

AS_SPEC_SCHEMA = "anyscale-k8s/spec/v1"


@dataclass(frozen=True)
class InstallSpec:
    cloud: str
    said: Settings

    @property
    def missing(self) -> list[str]:
        """The keys that were said and not kept: they may hold secrets."""
        return sorted(path for path, value in self.said.items() if value is None)

    @property
    def text(self) -> str:
        """The file; what is missing from it is told in its head."""
        head = [f"# What the last setup of {self.cloud} was told."]
        head += [f"# {path} was said too, and is not kept: add it." for path in self.missing]
        document = yaml.safe_dump(self._document, sort_keys=False, allow_unicode=True)
        return "\n".join(head) + f"\n{document}"

    @property
    def _document(self) -> dict[str, Any]:
        return {"version": SPEC_VERSION, **nested(without_secrets(self.said))}

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": AS_SPEC_SCHEMA,
            "cloud": self.cloud,
            "spec": self._document,
            "missing": self.missing,
            "text": self.text,
        }


async def as_spec(request: StatusRequest, run: Run) -> InstallSpec:
    """Ask the inventory in the cluster.

    Raises `cloud-not-found` where it tells nothing, and what finding the cloud raises.
    """

    def look() -> InstallSpec:
        with opened(request, run) as clouds:
            behind = look_behind(request, clouds, run)
        name, wiring = behind.cloud.name, behind.wiring
        if wiring is None or not wiring.ledger.said:
            raise errors.CliError(
                errors.CLOUD_NOT_FOUND,
                f"How {name} was set up is not known",
                cause=behind.why_unseen or UNTOLD,
                fix=f"anyscale cloud get {name}",
            )
        return InstallSpec(name, wiring.ledger.said)

    return await asyncio.to_thread(look)
