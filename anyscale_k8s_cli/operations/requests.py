"""What a person asked for, as plain data: the only thing `cli/` hands over.

`environment` is the process's environment as it was when the command began,
and `home` the folder with the Anyscale credentials; operations read neither
from anywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyscale_k8s_cli.spec import Settings


@dataclass(frozen=True, kw_only=True)
class Request:
    """The base: where the command runs."""

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    home: Path = field(default_factory=Path.home)


@dataclass(frozen=True)
class HelmChoice:
    """Which helm is run: `named`, or where none is found one `from_index` and not from its site."""

    named: Path | None = None
    from_index: bool = False


@dataclass(frozen=True, kw_only=True)
class SetupRequest(Request):
    """For plan and setup. `flags` are spec values by dotted path, without those not given.

    `typed` are the words of the command, to say it again with more; empty where nobody typed it.
    With `saved_plan` the spec is the saved one and `flags` and `file` are empty.
    `values_file` is where the operator's Helm values are written, as documentation;
    an existing file stays unless `overwrite`. With `drop_options` what an earlier
    setup was told and this one is not goes back to its default, whatever comes of it.
    With `only_create` nothing that exists is changed.
    """

    flags: Settings = field(default_factory=dict)
    file: Path | None = None
    typed: tuple[str, ...] = ()
    saved_plan: Path | None = None
    cloud_id: str | None = None
    add_to_cloud: bool = False
    replace_cluster: bool = False
    upgrade: bool = False
    drop_options: bool = False
    only_create: bool = False
    values_file: Path | None = None
    overwrite: bool = False
    helm: HelmChoice = field(default_factory=HelmChoice)


@dataclass(frozen=True, kw_only=True)
class RegisterRequest(SetupRequest):
    """The same for what a person has made. `manifests_dir` is where manifests are written."""

    install_operator: bool = False
    manifests_dir: Path | None = None


@dataclass(frozen=True, kw_only=True)
class MirrorRequest(Request):
    """`flags` and `file` say a spec; with `fetch` charts that are not here are fetched."""

    flags: Settings = field(default_factory=dict)
    file: Path | None = None
    fetch: bool = False
    helm: HelmChoice = field(default_factory=HelmChoice)


@dataclass(frozen=True, kw_only=True)
class DeleteRequest(Request):
    """`name` or `cloud_id` says which cloud, `flags` (values of a `Scope`) where to search.

    `delete_bucket` is the name of the bucket whose data goes too. `skip_cluster`: the
    cluster is not asked, and what is in it stays.
    """

    name: str | None = None
    cloud_id: str | None = None
    flags: Settings = field(default_factory=dict)
    delete_bucket: str | None = None
    ignore_not_found: bool = False
    ignore_active_workloads: bool = False
    skip_cluster: bool = False
    helm: HelmChoice = field(default_factory=HelmChoice)


@dataclass(frozen=True, kw_only=True)
class StatusRequest(Request):
    """`flags` are values of a `Scope` that say where to look.

    `features` is whether each feature of the cloud is judged, too. With `wait` the answer
    is that of a cloud that is well, or that no waiting makes well.
    """

    name: str | None = None
    cloud_id: str | None = None
    flags: Settings = field(default_factory=dict)
    features: bool = False
    wait: bool = False


@dataclass(frozen=True, kw_only=True)
class ExplainRequest(StatusRequest):
    """`key` is what is asked about, all there is where it is None."""

    key: str | None = None
    helm: HelmChoice = field(default_factory=HelmChoice)


@dataclass(frozen=True, kw_only=True)
class VerifyRequest(StatusRequest):
    """`waived` are codes of checks that are not asked; with `only` no others are.

    `probe` is whether a pod is asked, too; `probe_image` what it runs, if it was said.
    `functional` is whether one works as workloads do, `gpu` one for each accelerator as well;
    `scale_up` tries those of pools that have no node, too.
    """

    waived: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    probe: bool = False
    probe_image: str | None = None
    functional: bool = False
    gpu: bool = False
    scale_up: bool = False
    helm: HelmChoice = field(default_factory=HelmChoice)


@dataclass(frozen=True, kw_only=True)
class DoctorRequest(Request):
    """`program` is the name that was typed; `waived` and `only` as in `VerifyRequest`."""

    program: str
    waived: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    helm: HelmChoice = field(default_factory=HelmChoice)


@dataclass(frozen=True, kw_only=True)
class RotateRequest(Request):
    """`flags` are values of a `Scope`; `days` is how long the new key lives, if it was said."""

    name: str | None = None
    cloud_id: str | None = None
    flags: Settings = field(default_factory=dict)
    days: int | None = None
    helm: HelmChoice = field(default_factory=HelmChoice)


@dataclass(frozen=True, kw_only=True)
class ListRequest(Request):
    """`name` filters for clouds of exactly that name."""

    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class GetRequest(Request):
    """Which cloud; with neither given, the only one there is."""

    name: str | None = None
    cloud_id: str | None = None
