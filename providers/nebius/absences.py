"""Options of other platforms, and why they mean nothing on Nebius."""

from __future__ import annotations

from anyscale_k8s_cli.absence import Absence, Absences, of_keyed_store

ABSENCES: Absences = {
    **of_keyed_store("--project-id"),
    "rules.storage_role": Absence(
        "Nebius has its own roles alone, and those that are granted are on the one bucket",
        "keys of your own, by --storage-keys use",
    ),
}
