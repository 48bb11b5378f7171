"""A context of the user's kubeconfig, copied: the files are read, never written or switched."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.service_account_tokens import Issuer
from anyscale_k8s_cli.imports import without
from anyscale_k8s_cli.run import Run

# It is there for a kind of user that we refuse, and takes long.
with without("google.auth"):
    from kubernetes.config import ConfigException, exec_provider, kube_config

# The package's classes have no types; nodes of a merged kubeconfig are `ConfigNode`s.
_Merger: Any = kube_config.KubeConfigMerger
_ExecProvider: Any = exec_provider.ExecProvider
_Node = Any


class ContextCluster(Protocol):
    """A cluster that nobody but its own API tells of: who it is, and reading in it."""

    @property
    def access(self) -> ClusterAccess: ...

    def uid(self) -> str: ...

    def version(self) -> str: ...

    def issuer(self) -> Issuer: ...

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> dict[str, Any] | None: ...

    def list(self, api_version: str, kind: str) -> list[dict[str, Any]]: ...


def open_context(
    context: str | None, kubeconfig: Path | None, run: Run, platform: str
) -> ContextCluster:
    """The cluster that a context leads to. Raises as `from_context` does."""
    return Kubernetes(replace(from_context(context, kubeconfig), platform=platform), run)


def context_names(kubeconfig: Path | None) -> list[str]:
    """The contexts there are; none where there is no kubeconfig."""
    try:
        merged = _Merger(_place(kubeconfig)).config
    except (ConfigException, OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    if merged is None:
        return []
    return [str(item["name"]) for item in merged.safe_get("contexts") or ()]


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
        merged = _Merger(place).config
        if merged is None:
            raise ConfigException("there is no such file")
        name = context or merged.safe_get("current-context")
        if not name:
            raise ConfigException("it has no current context")
        found = merged["contexts"].get_with_name(name)["context"]
        cluster = merged["clusters"].get_with_name(found["cluster"])["cluster"]
        user_name = found.safe_get("user")
        user = merged["users"].get_with_name(user_name)["user"] if user_name else None
    except (ConfigException, OSError, UnicodeDecodeError, yaml.YAMLError, KeyError) as problem:
        raise errors.CliError(
            errors.CLUSTER_NOT_FOUND,
            f"The context {context or '(current)'} cannot be read from {place}",
            cause=str(problem),
            fix="see `kubectl config get-contexts` and give --context and --kubeconfig",
        ) from problem
    return _Entry(name, kubeconfig, str(user_name or ""), cluster, user).access()


@dataclass(frozen=True)
class _Entry:
    """One context with its cluster and user entries."""

    name: str
    file: Path | None
    user_name: str
    cluster: _Node
    user: _Node | None

    def access(self) -> ClusterAccess:
        if self.cluster.safe_get("insecure-skip-tls-verify"):
            raise self._unusable(
                "it does not verify the server's certificate",
                "put the cluster's authority into certificate-authority-data",
            )
        user = self.user
        if user is not None and "auth-provider" in user:
            raise self._unusable(
                "its user has an auth-provider, which kubectl itself gives up",
                "use an exec plugin or a token",
            )
        return ClusterAccess(
            endpoint=str(self.cluster["server"]).rstrip("/"),
            ca_pem=self._data(self.cluster, "certificate-authority"),
            token=self._token(),
            principal=f"user {self.user_name!r} of context {self.name!r}",
            grant=self._look,
            client_certificate_pem=self._data(user, "client-certificate") if user else "",
            client_key_pem=self._data(user, "client-key") if user else "",
            tls_server_name=str(self.cluster.safe_get("tls-server-name") or ""),
            proxy_url=str(self.cluster.safe_get("proxy-url") or ""),
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
        if user.safe_get("token"):
            value = str(user["token"])
            return lambda: BearerToken(value)
        if user.safe_get("tokenFile"):
            file = self._beside(user, str(user["tokenFile"]))
            return lambda: BearerToken(file.read_text(encoding="utf-8").strip())
        if "exec" in user:
            return self._ask_plugin
        return None

    def _ask_plugin(self) -> BearerToken:
        assert self.user is not None, "only a user entry has a plugin"  # noqa: S101
        plugin = self.user["exec"]
        folder = str(self._beside(self.user, "."))
        try:
            status: dict[str, Any] = _ExecProvider(plugin, folder, self.cluster).run()
        except (ConfigException, OSError) as problem:
            raise errors.CliError(
                errors.CLUSTER_UNAUTHENTICATED,
                f"The credentials of context {self.name!r} could not be had",
                cause=str(problem),
                fix=self._look,
            ) from problem
        if not status.get("token"):
            raise self._unusable(
                f"its plugin {plugin['command']} gave no token (client certificates from a "
                "plugin are not supported)",
                "use a plugin that gives tokens",
            )
        ends = status.get("expirationTimestamp")
        expires = datetime.fromisoformat(str(ends)).astimezone(UTC) if ends else None
        return BearerToken(str(status["token"]), expires)

    def _data(self, entry: _Node, key: str) -> str:
        """PEM text, inline or from the file that is named."""
        try:
            inline = entry.safe_get(f"{key}-data")
            if inline:
                return base64.b64decode(inline).decode("ascii")
            file = entry.safe_get(key)
            return self._beside(entry, str(file)).read_text(encoding="ascii") if file else ""
        except (OSError, binascii.Error, UnicodeDecodeError) as problem:
            raise self._unusable(f"its {key} cannot be read: {problem}", "mend it") from problem

    def _beside(self, entry: _Node, path: str) -> Path:
        # Relative paths count from the file that the entry stands in.
        return Path(entry.path or ".").expanduser().resolve().parent / path

    def _unusable(self, cause: str, fix: str) -> errors.CliError:
        return errors.CliError(
            errors.INVALID_SPEC,
            f"The context {self.name!r} cannot be used",
            cause=cause,
            fix=f"{fix}, or name another context with --context",
        )
