"""Options of other platforms, and why they mean nothing on Nebius."""

from __future__ import annotations

from anyscale_k8s_cli.absence import Absences, of_keyed_store

ABSENCES: Absences = of_keyed_store("--project-id")
