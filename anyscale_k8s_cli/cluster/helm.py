"""Helm, driven through pyhelm3: the real executable, one private configuration, no shell.

How we use helm, and why:

- Never `--atomic`/`--rollback-on-failure`: what failed would be taken away together
  with the pods, events and logs that tell what was wrong. A failed release is simply
  upgraded by the next run, and the old pods serve meanwhile (a rolling update keeps
  them until the new ones are ready). An upgrade to another version of the chart is
  taken back by ourselves, once it was looked at.
- Never `--create-namespace`, never `--take-ownership`: namespaces and adoption
  are resources of their own, decided in the plan.
- helm 4 writes with server-side apply, always, and wins conflicts: a field that
  somebody changed by hand is restored by the next run, as helm 3 does by its
  three-way patch.
- Values go by stdin, are complete on each upgrade (nothing of the last release's
  is reused), and must hold no secrets: they become part of the release.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.charts import ChartArchive
from anyscale_k8s_cli.cluster.documents import Document, parse_all
from anyscale_k8s_cli.cluster.helm_errors import HelmFailed
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable, HelmSearch
from anyscale_k8s_cli.run import Run

if TYPE_CHECKING:
    from anyscale_k8s_cli.cluster.helm_command import HelmCommand

# Seconds that helm gets less than the command: enough to say what it waited for,
# and for us to look at why.
MARGIN = 15.0
# helm's --timeout holds for each operation (a hook, the wait); this bounds the process.
_OVERTIME = 60.0
_PULL_TIMEOUT = 120.0
# As helm says it for an index, and for an OCI registry.
_NO_SUCH_VERSION = re.compile(r"no chart version found|chart .* version .* not found|: not found")
_RENDER_TIMEOUT = 60.0

# Go's own 100 has helm look for garbage all the time while it starts: a third of its CPU, for
# some MB of the 50 that it holds anyway.
_GARBAGE = "400"
# What helm may know of the user's environment: how to get out, and whom to trust.
_PASSED_ON = frozenset(
    {
        "ALL_PROXY",
        "DOCKER_CONFIG",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "LC_ALL",
        "NO_PROXY",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "TMPDIR",
    }
)


class Helm:
    """One helm executable for one cluster, looked for when it is first run.

    `kubeconfig` is a private file; None is enough for `template` and `pull`.
    `home` is a private directory for helm's own caches and settings (by default
    beside the kubeconfig). `environment` is the user's; what helm needs of it is
    picked here.
    """

    def __init__(
        self,
        executable: HelmExecutable | HelmSearch,
        kubeconfig: Path | None,
        run: Run,
        environment: Mapping[str, str],
        home: Path | None = None,
    ) -> None:
        if home is None:
            if kubeconfig is None:
                raise ValueError("helm needs a home where there is no kubeconfig")
            home = kubeconfig.parent / "helm"
        self._executable = executable
        self._kubeconfig = kubeconfig
        self._run = run
        self._environment = _child_environment(environment, home)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def upgrade(
        self,
        release: str,
        namespace: str,
        chart: ChartArchive,
        values: Mapping[str, Any],
        *,
        timeout: float,
        labels: Mapping[str, str] | None = None,
        wait: bool = True,
        skip_crds: bool = False,
        description: str = "",
    ) -> int:
        """Install the release, or upgrade it to exactly this chart and these values.

        `timeout` is for the whole call, in seconds, and cut to what the command
        has left. `labels` are put on the release's record. Returns the revision.
        Raises CliError: `timed-out`, `foreign-object` (an object of that name is
        not this release's), `helm-failed` with `details["pending"]` where a dead
        run left the release pending, and others of `helm_errors`.
        """
        extra = ["--labels", ",".join(f"{k}={v}" for k, v in labels.items())] if labels else []
        limit = self._limit(timeout)
        newer: dict[str, Any] = {}
        if await self._is_helm_4():
            newer = {"server_side": "true", "force_conflicts": True}
        command = await self._command(limit + _OVERTIME, extra)
        try:
            answer: Any = await command.install_or_upgrade(
                release,
                chart.path,
                dict(values),
                create_namespace=False,
                description=description or None,
                namespace=namespace,
                reset_values=True,
                skip_crds=skip_crds,
                timeout=_duration(limit),
                wait=wait,
                **newer,
            )
        except HelmFailed as failed:
            raise failed.told(f"helm could not install {release}") from failed
        return int(answer["version"])

    async def uninstall(
        self, release: str, namespace: str, *, timeout: float, keep_history: bool = False
    ) -> None:
        """Remove the release and wait until its objects are gone; absent is done."""
        limit = self._limit(timeout)
        command = await self._command(limit + _OVERTIME, ["--ignore-not-found"])
        try:
            await command.uninstall(
                release,
                namespace=namespace,
                keep_history=keep_history,
                timeout=_duration(limit),
                wait=True,
            )
        except HelmFailed as failed:
            raise failed.told(f"helm could not remove {release}") from failed

    async def rollback(
        self,
        release: str,
        namespace: str,
        revision: int | None = None,
        *,
        timeout: float,
        wait: bool = True,
    ) -> None:
        """Go back to a revision (None: the one before)."""
        limit = self._limit(timeout)
        extra = ["--server-side=true", "--force-conflicts"] if await self._is_helm_4() else []
        command = await self._command(limit + _OVERTIME, extra)
        try:
            await command.rollback(
                release, revision, namespace=namespace, timeout=_duration(limit), wait=wait
            )
        except HelmFailed as failed:
            raise failed.told(f"helm could not roll {release} back") from failed

    async def template(
        self,
        release: str,
        namespace: str,
        chart: ChartArchive,
        values: Mapping[str, Any],
        *,
        include_crds: bool = False,
        kubernetes_version: str = "",
        api_versions: Sequence[str] = (),
    ) -> list[Document]:
        """Render the chart without a cluster, hooks included; empty documents are left out.

        Without a cluster helm knows neither its version nor its APIs: give what
        the chart asks for (`Capabilities`).
        """
        extra = ["--kube-version", kubernetes_version] if kubernetes_version else []
        for version in api_versions:
            extra += ["--api-versions", version]
        command = await self._command(self._limit(_RENDER_TIMEOUT), extra, offline=True)
        try:
            await command.template(
                release, chart.path, dict(values), include_crds=include_crds, namespace=namespace
            )
        except HelmFailed as failed:
            raise failed.told(f"helm could not render {chart.name} {chart.version}") from failed
        # pyhelm3 would read it with the slow parser, and definitions run to megabytes.
        return [document for document in parse_all(command.output) if document]

    async def preview(
        self, release: str, namespace: str, chart: ChartArchive, values: Mapping[str, Any]
    ) -> list[Document]:
        """What an upgrade would make of the release, hooks included; nothing is written.

        The cluster is asked for its version and its APIs, and what the chart looks up.
        """
        extra = (
            ["--dry-run=server"] if await self._is_helm_4() else ["--dry-run=server", "--validate"]
        )
        command = await self._command(self._limit(_RENDER_TIMEOUT), extra)
        try:
            await command.template(
                release, chart.path, dict(values), is_upgrade=True, namespace=namespace
            )
        except HelmFailed as failed:
            raise failed.told(f"helm could not render {chart.name} {chart.version}") from failed
        return [document for document in parse_all(command.output) if document]

    async def default_values(self, chart: ChartArchive) -> dict[str, Any]:
        """The chart's own values.yaml."""
        command = await self._command(self._limit(_RENDER_TIMEOUT), offline=True)
        try:
            text = await command.run(["show", "values", str(chart.path)])
        except HelmFailed as failed:
            raise failed.told(f"helm could not read {chart.name} {chart.version}") from failed
        return next(parse_all(text), None) or {}

    async def pull(self, reference: str, version: str | None, repository: str, into: Path) -> None:
        """Fetch one chart archive into a folder; raises `chart-unavailable`.

        `reference` is a chart's name in an index `repository`, or `oci://…` or
        the URL of an archive, without one.
        """
        argv = ["pull", reference, "--destination", str(into)]
        if repository:
            argv += ["--repo", repository]
        if version:
            argv += ["--version", version]
        command = await self._command(self._limit(_PULL_TIMEOUT), offline=True)
        try:
            await command.run(argv)
        except HelmFailed as failed:
            where = f" from {repository}" if repository else ""
            lines = failed.result.last_lines() if failed.result else ()
            raise errors.CliError(
                errors.CHART_UNAVAILABLE,
                f"The chart {reference} {version or ''}".rstrip() + f" could not be fetched{where}",
                cause=lines[-1] if lines else f"no answer within {_PULL_TIMEOUT:.0f} s",
                evidence=lines[:-1],
                fix="name a version that is there"
                if _NO_SUCH_VERSION.search("\n".join(lines))
                else "name a mirror with --chart-mirror; for a private authority set SSL_CERT_FILE",
            ) from failed

    async def found(self) -> HelmExecutable:
        """The executable; asked for before the first change by whoever is going to need it.

        Raises as `find_helm` does.
        """
        return await self._executable.found()

    async def _is_helm_4(self) -> bool:
        return (await self.found()).version.major >= 4

    def _limit(self, wanted: float) -> float:
        """`wanted` seconds, but less than the command has left; raises when that is nothing."""
        remaining = self._run.remaining()
        if remaining is None:
            return wanted
        if remaining <= MARGIN:
            raise errors.CliError(
                errors.TIMED_OUT,
                "The command's time limit is too near to start helm",
                cause="--timeout",
                fix="run the same command again to go on, or give it more time with --timeout",
            )
        return min(wanted, remaining - MARGIN)

    async def _command(
        self, deadline: float, extra: Sequence[str] = (), *, offline: bool = False
    ) -> HelmCommand:
        # Its library is imported where helm is run: what only looks does without it.
        from anyscale_k8s_cli.cluster.helm_command import HelmCommand

        return HelmCommand(
            (await self.found()).path,
            None if offline else self._kubeconfig,
            self._environment,
            self._run,
            deadline=deadline,
            extra=extra,
        )


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))}s"


def _child_environment(user: Mapping[str, str], home: Path) -> dict[str, str]:
    """All that helm gets to see.

    Its settings live in `home`, with the release records in Secrets whatever the
    user's HELM_DRIVER says, because that is where we read them. Logins to
    registries are the user's: reading them is what makes a private mirror work.
    """
    passed = {name: value for name, value in user.items() if name.upper() in _PASSED_ON}
    users_home = Path(user.get("HOME") or user.get("USERPROFILE") or Path.home())
    passed.setdefault("DOCKER_CONFIG", str(users_home / ".docker"))
    return {
        **passed,
        "HOME": str(home),
        "HELM_CACHE_HOME": str(home / "cache"),
        "HELM_CONFIG_HOME": str(home / "config"),
        "HELM_DATA_HOME": str(home / "data"),
        "HELM_PLUGINS": str(home / "plugins"),
        "HELM_REGISTRY_CONFIG": str(_registry_logins(user, users_home)),
        "HELM_DRIVER": "secret",
        "KUBECACHEDIR": str(home / "kube-cache"),
        "GOGC": _GARBAGE,
    }


def _registry_logins(user: Mapping[str, str], users_home: Path) -> Path:
    """Where `helm registry login` keeps its logins."""
    if user.get("HELM_REGISTRY_CONFIG"):
        return Path(user["HELM_REGISTRY_CONFIG"])
    if user.get("HELM_CONFIG_HOME"):
        config = Path(user["HELM_CONFIG_HOME"])
    elif sys.platform == "darwin":
        config = users_home / "Library" / "Preferences" / "helm"
    elif sys.platform == "win32":
        config = Path(user.get("APPDATA") or users_home) / "helm"
    else:
        config = Path(user.get("XDG_CONFIG_HOME") or users_home / ".config") / "helm"
    return config / "registry" / "config.json"
