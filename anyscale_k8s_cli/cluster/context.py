"""A context of the user's kubeconfig, copied: the files are read, never written or switched."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.cluster.credential_plugin import ask_plugin
from anyscale_k8s_cli.cluster.kubeconfig import Entry, KubeconfigError, read_kubeconfig
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.run import Run


class ContextCluster(Protocol):
    """A cluster that nobody but its own API tells of: who it is, and reading in it."""

    @property
    def access(self) -> ClusterAccess: ...

    def uid(self) -> str: ...

    def version(self) -> str: ...

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> dict[str, Any] | None: ...

    def list(self, api_version: str, kind: str) -> list[dict[str, Any]]: ...


def open_context(context: str | None, kubeconfig: Path | None, run: Run) -> ContextCluster:
    """The cluster that a context leads to. Raises as `from_context` does."""
    return Kubernetes(from_context(context, kubeconfig), run)


def context_names(kubeconfig: Path | None) -> list[str]:
    """The contexts there are; none where there is no kubeconfig."""
    try:
        return list(read_kubeconfig(_place(kubeconfig)).contexts)
    except KubeconfigError:
        return []


def _place(kubeconfig: Path | None) -> str:
    return str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or "~/.kube/config"


def from_context(context: str | None, kubeconfig: Path | None) -> ClusterAccess:
    """Access as a named context has it (None: the current one).

    Without `kubeconfig` the usual places are read (`KUBECONFIG`, `~/.kube/config`).
    An exec plugin that the user set up is run whenever a token is needed; its
    program is the user's own choice. Raises `cluster-not-found` when there is no
    such file or context, `invalid-spec` for what cannot be copied.
    """
    place = _place(kubeconfig)
    try:
        merged = read_kubeconfig(place)
        name = context or merged.current
        if not name:
            raise KubeconfigError("it has no current context")
        found = merged.need("context", name)
        cluster = merged.need("cluster", found.need("cluster"))
        endpoint = cluster.need("server").rstrip("/")
        user_name = str(found.get("user") or "")
        user = merged.need("user", user_name) if user_name else None
    except KubeconfigError as problem:
        raise errors.CliError(
            errors.CLUSTER_NOT_FOUND,
            f"The context {context or '(current)'} cannot be read from {place}",
            cause=str(problem),
            fix="see `kubectl config get-contexts` and give --context and --kubeconfig",
        ) from problem
    return _Chosen(name, kubeconfig, user_name, cluster, user).access(endpoint)


@dataclass(frozen=True)
class _Chosen:
    """One context with its cluster and user entries."""

    name: str
    file: Path | None
    user_name: str
    cluster: Entry
    user: Entry | None

    def access(self, endpoint: str) -> ClusterAccess:
        if self.cluster.get("insecure-skip-tls-verify"):
            raise self._unusable(
                "it does not verify the server's certificate",
                "put the cluster's authority into certificate-authority-data",
            )
        user = self.user
        if user is not None and user.get("auth-provider"):
            raise self._unusable(
                "its user has an auth-provider, which kubectl itself gives up",
                "use an exec plugin or a token",
            )
        return ClusterAccess(
            endpoint=endpoint,
            ca_pem=self._data(self.cluster, "certificate-authority"),
            token=self._token(),
            principal=f"user {self.user_name!r} of context {self.name!r}",
            grant=self._look,
            client_certificate_pem=self._data(user, "client-certificate") if user else "",
            client_key_pem=self._data(user, "client-key") if user else "",
            tls_server_name=str(self.cluster.get("tls-server-name") or ""),
            proxy_url=str(self.cluster.get("proxy-url") or ""),
            context=self.name,
            kubeconfig=self.file,
        )

    @property
    def _look(self) -> str:
        of_context = ClusterAccess("", "", None, context=self.name, kubeconfig=self.file)
        return f"see what is wrong with: {of_context.kubectl('auth whoami')}"

    def _token(self) -> Callable[[], BearerToken] | None:
        user = self.user
        if user is None:
            return None
        if user.get("token"):
            value = str(user.get("token"))
            return lambda: BearerToken(value)
        if user.get("tokenFile"):
            file = user.beside(str(user.get("tokenFile")))
            return lambda: BearerToken(file.read_text(encoding="utf-8").strip())
        if user.get("exec"):
            return self._ask_plugin
        return None

    def _ask_plugin(self) -> BearerToken:
        assert self.user is not None, "only a user entry has a plugin"  # noqa: S101
        try:
            status = ask_plugin(self.user, self.cluster)
        except (KubeconfigError, OSError) as problem:
            raise errors.CliError(
                errors.CLUSTER_UNAUTHENTICATED,
                f"The credentials of context {self.name!r} could not be had",
                cause=str(problem),
                fix=self._look,
            ) from problem
        if not status.get("token"):
            raise self._unusable(
                "its plugin gave no token (client certificates from a plugin are not supported)",
                "use a plugin that gives tokens",
            )
        ends = status.get("expirationTimestamp")
        expires = datetime.fromisoformat(str(ends)).astimezone(UTC) if ends else None
        return BearerToken(str(status["token"]), expires)

    def _data(self, entry: Entry, key: str) -> str:
        """PEM text, inline or from the file that is named."""
        try:
            inline = entry.get(f"{key}-data")
            if inline:
                return base64.b64decode(inline).decode("ascii")
            file = entry.get(key)
            return entry.beside(str(file)).read_text(encoding="ascii") if file else ""
        except (OSError, binascii.Error, UnicodeDecodeError) as problem:
            raise self._unusable(f"its {key} cannot be read: {problem}", "mend it") from problem

    def _unusable(self, cause: str, fix: str) -> errors.CliError:
        return errors.CliError(
            errors.INVALID_SPEC,
            f"The context {self.name!r} cannot be used",
            cause=cause,
            fix=f"{fix}, or name another context with --context",
        )
