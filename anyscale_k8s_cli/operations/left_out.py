"""What the last setup was told and this one is not: it would go back to its default.

What is said is the whole of what is wanted, as with terraform or helm: nothing is
remembered for the next run. So an option that is merely forgotten must not open a
load balancer to the world, take a cloud away from its data, nor undo what a company demands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import FILE
from anyscale_k8s_cli.ledger import UNTOLD, Entry
from anyscale_k8s_cli.operations.said import of_file, option, said_again
from anyscale_k8s_cli.plan import Plan
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.resource import Ownership
from anyscale_k8s_cli.spec import CloudSpec, NetworkSpec, Settings, brings_way_in
from anyscale_k8s_cli.spec_loading import LoadedSpec, nested

_OTHER_OBJECTS = "a new, empty bucket and another identity would be made and registered"
# What leaving them out would do, of those that may not be forgotten.
_PROTECTING = {
    "network.kind": "users would come in another way, at another address",
    "network.address": "the operator would look for the address by itself",
    "network.expose": "the load balancer would become public",
    "network.allow_cidrs": "the load balancer would let in every address",
    "network.annotations": "the load balancer would be as the platform makes it",
    "existing.bucket": "a new, empty bucket would be made and registered",
    "storage.kind": "a new, empty bucket in another store would be made and registered",
    "storage.account": "the container would be looked for in another storage account",
    "existing.identity": "another identity would be made and registered",
    "identity.workloads": "Ray's pods would lose their own identity and have the operator's",
    "existing.storage_keys": "keys of this tool's would be made and used",
    "existing.gateway": "a Gateway with a load balancer of its own would be made and used",
    "rules.name_prefix": _OTHER_OBJECTS,
    "rules.names": "{} would be made and used",
    "rules.role_path": "roles that are there stay at their path, and new ones go to this tool's",
    "rules.tags": "they would be taken off everything that has them",
    "rules.permissions_boundary": "nothing would bound the role of the operator any more",
    "rules.storage_role": "the platform's own roles would be granted in its place",
    "rules.kms_key": "the bucket would be encrypted with another key",
    "rules.kms_identity": "the bucket would be encrypted with another key",
    "rules.azure_shared_key": "keys of the storage account could be used again",
}
# The names of objects that hold data, in `rules.names`.
_OF_DATA = ("bucket", "storage-account")
_OF_LOAD_BALANCER = (
    "network.expose",
    "network.allow_cidrs",
    "network.load_balancer_subnets",
    "network.annotations",
)
# Objects of clusters and of the control plane: what stays of them gives nobody any right.
_ELSEWHERE = ("k8s:", "helm:", "anyscale:")
# Where charts come from, and which: what is installed stays, until an upgrade.
_OF_CHARTS = ("operator.chart", "operator.version", "charts.mirror")
_PLACES_OF_CHARTS = ("operator.chart", "charts.mirror")
# How the account and the cluster are reached, and what changes no object.
_OF_THE_RUN = (
    *("version", "provider", "name", "region", "namespace", "waive"),
    *("account.", "cluster.", "credentials.", "probe.", "timeouts."),
)


@dataclass(frozen=True)
class LeftOut:
    """`told` is what the last setup was told and this one is not, by dotted path."""

    told: Mapping[str, Any]

    @property
    def protecting(self) -> dict[str, Any]:
        """Those of them that may not be forgotten."""
        return {path: value for path, value in self.told.items() if path in _PROTECTING}

    def notes(self, *, upgrade: bool = False, rewritten: bool = False) -> Iterator[str]:
        """A line for those that protect nothing; none where there are none.

        Nothing comes of leaving out those of charts, unless it is an upgrade, or the operator's
        release is `rewritten`, for which its chart is fetched.
        """
        charts = [path for path in self.told if path in _OF_CHARTS]
        others = [path for path in self.told if path not in (*_PROTECTING, *_OF_CHARTS)]
        if charts and upgrade:
            yield (
                f"the last setup was told {_listed(charts, self.told)}, and this upgrade is not: "
                "it takes what new installs get, where that is newer"
            )
        elif rewritten and (places := [path for path in charts if path in _PLACES_OF_CHARTS]):
            yield (
                f"the last setup was told {_listed(places, self.told)}, and this one is not: the "
                "version stays, and its chart is looked for where new installs get theirs"
            )
        if others:
            yield (
                f"the last setup was told {_listed(others, self.told)}, and this one is not: "
                f"say {'it' if len(others) == 1 else 'them'} again to keep what "
                f"{'it sets' if len(others) == 1 else 'they set'}"
            )

    def consequences(self) -> tuple[str, ...]:
        """What would come of each that may not be forgotten."""
        return tuple(
            f"without {option(path, value)}: {_consequence(path, value)}"
            for path, value in self.protecting.items()
        )

    def check(self, typed: Sequence[str], file: Path | None, *, upgrade: bool = False) -> None:
        """Raise `options-left-out`, with the command that keeps everything as it is.

        It is what was `typed`, and what that leaves out.
        """
        if not self.protecting:
            return
        first, *rest = self.consequences()
        raise errors.CliError(
            errors.OPTIONS_LEFT_OUT,
            f"The last setup was told {_listed(list(self.protecting), self.told)}, "
            "and this one is not",
            cause=first,
            evidence=(
                *rest,
                "to keep it as it is, say it again; if the change is meant, say the new value "
                "(such as --expose public), or add --drop-options",
            ),
            fix=self._again(typed, file, upgrade=upgrade),
        )

    def _again(self, typed: Sequence[str], file: Path | None, *, upgrade: bool) -> str:
        """How to say all of it again: by flags, and what has none in lines of the file.

        A version that an upgrade is there to leave behind is not said again.
        """
        told = {
            path: value
            for path, value in self.told.items()
            if not (upgrade and is_one_version(path, value))
        }
        in_file = {path: told[path] for path in of_file(told)}
        said = {path: value for path, value in told.items() if path not in in_file}
        if not in_file:
            return said_again(typed, said)
        lines = yaml.safe_dump(nested(in_file), sort_keys=False).rstrip()
        again = said_again(typed, said, None if file else Path(FILE))
        where = f"into {file}" if file else f"into a file, {FILE} below"
        return f"put these lines back {where}:\n{lines}\nand then:\n{again}"


def is_one_version(path: str, value: Any) -> bool:
    """Whether a setting says which version it is, be it as the file of a chart."""
    return path == "operator.version" or (path in _OF_CHARTS and str(value).endswith(".tgz"))


def _consequence(path: str, value: Any) -> str:
    """What leaving it out would do: another name makes another object of that kind."""
    names = value if path == "rules.names" else ()
    objects = [f"a new, empty {kind}" if kind in _OF_DATA else f"another {kind}" for kind in names]
    return _PROTECTING[path].format(" and ".join(objects))


def exposure_change(told: Settings, loaded: LoadedSpec) -> Iterator[str]:
    """A line where a live cloud's load balancer would be another: who uses it is cut off."""
    before = told.get("network.expose", NetworkSpec().expose)
    now = loaded.spec.network.expose
    if told and before != now and not brings_way_in(loaded.spec):
        yield (
            f"--expose changes from {before} to {now}: another load balancer with another address "
            "would be made, and users are cut off until they are let in by the new one"
        )


def exposure_by_annotations(spec: CloudSpec, balancer: LoadBalancer | None) -> Iterator[str]:
    """A line where the user's own annotations say whether the load balancer is public."""
    own = spec.network.annotations
    said = [key for key in (balancer.decisive if balancer else ()) if key in own]
    if said:
        yield (
            f"network.annotations say {', '.join(f'{key}={own[key]}' for key in said)}: that, and "
            f"not --expose {spec.network.expose}, decides whether the internet reaches the load "
            "balancer"
        )


def way_in_change(told: Settings, loaded: LoadedSpec, removals: Mapping[str, str]) -> Iterator[str]:
    """A line where users would come in another way, and what is left of the one before.

    `removals` are the commands that remove what was made for a kind.
    """
    before, now = told.get("network.kind", NetworkSpec().kind), loaded.spec.network.kind
    if not told or before == now:
        return
    text = (
        f"--network changes from {before} to {now}: users come in at another address, and what "
        "runs keeps its own until it is started again"
    )
    made = before in removals and not told.get("existing.gateway")
    yield (
        f"{text}. What was made for {before} stays till then, and is billed; then remove it with: "
        f"{removals[before]}"
        if made
        else text
    )


def unused(entries: Mapping[str, Entry], plan: Plan) -> Iterator[str]:
    """A line where something in the account was made by setup and is not asked for any more."""
    wanted = {item.resource.key for item in plan.changes}
    titles = [
        entry.title
        for key, entry in entries.items()
        if key not in wanted
        and entry.ownership == Ownership.OURS.value
        and not key.startswith(_ELSEWHERE)
    ]
    if titles:
        yield f"not asked for any more, and left until the cloud is deleted: {', '.join(titles)}"


def left_out(told: Settings, loaded: LoadedSpec) -> LeftOut:
    """Compare what the ledger says was told with what is said now, in whichever way.

    Of a load balancer that is made no more, or an address that is no longer one's own, there
    is nothing to say.
    """
    spec = loaded.spec
    moot = (
        *(_OF_LOAD_BALANCER if brings_way_in(spec) else ()),
        *(("network.address",) if spec.network.kind != "none" else ()),
    )
    return LeftOut(
        {
            path: value
            for path, value in told.items()
            if path not in loaded.sources and not path.startswith((*_OF_THE_RUN, *moot))
        }
    )


def check_bucket(loaded: LoadedSpec, registered: str, wanted: str, typed: Sequence[str]) -> None:
    """Where no ledger tells what was said: the registration tells at least of the bucket.

    Raises `options-left-out` for another one that nobody has named.
    """
    named = {"existing.bucket", "rules.name_prefix", "rules.names"} & loaded.sources.keys()
    if not registered or not wanted or registered == wanted or named:
        return
    raise errors.CliError(
        errors.OPTIONS_LEFT_OUT,
        f"The cloud is registered with {registered}, and this setup would move it to {wanted}",
        cause=UNTOLD,
        evidence=("if the change is meant, add --drop-options",),
        fix=said_again(typed, {"existing.bucket": registered}),
    )


def check_exposure(loaded: LoadedSpec, typed: Sequence[str]) -> None:
    """Where no ledger tells what was said, and the load balancer that is there is internal.

    Raises `options-left-out` unless somebody has said that it is to be public.
    """
    if "network.expose" in loaded.sources:
        return
    raise errors.CliError(
        errors.OPTIONS_LEFT_OUT,
        "The cloud's load balancer is internal, and this setup would make it public",
        cause=UNTOLD,
        evidence=("if the change is meant, say --expose public",),
        fix=said_again(typed, {"network.expose": "internal"}),
    )


def until_done(told: Settings, said: Settings) -> dict[str, Any]:
    """What counts as said while a setup is at work that is told `said`, after one that was `told`.

    What it is told counts once it is true. But what protects counts from the start; and
    dropped tags stay known until they are gone: the next run goes on where this one ends.
    """
    if not told:
        return dict(said)
    protecting = {path: value for path, value in said.items() if path in _PROTECTING}
    tags = {**(told.get("rules.tags") or {}), **(said.get("rules.tags") or {})}
    return {**told, **protecting, **({"rules.tags": tags} if tags else {})}


def dropped_tags(told: Settings, spec: CloudSpec) -> dict[str, str]:
    """The tags that an earlier setup was told to write and this one is not."""
    tags: Mapping[str, str] = told.get("rules.tags") or {}
    return {key: value for key, value in tags.items() if key not in spec.rules.tags}


def _listed(paths: list[str], told: Mapping[str, Any]) -> str:
    return ", ".join(option(path, told[path]) for path in paths)
