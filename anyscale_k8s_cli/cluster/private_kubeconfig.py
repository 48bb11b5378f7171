"""A kubeconfig for child processes: private, temporary, its token renewed by us.

No exec plugin stands in it: that would start a program for each call, and
would want the user's tools and profile.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import BearerToken, ClusterAccess
from anyscale_k8s_cli.cluster.transport import RENEW_BEFORE

_NAME = "anyscale-k8s"
_PREFIX = "anyscale-k8s-kubeconfig-"
# client-go reads a token file again about every minute, so it must be renewed
# at least that much before its end.
_READ_AGAIN_SECONDS = 90.0
# For tokens that do not say when they end, and after a failed renewal.
_UNKNOWN_LIFE_SECONDS = 300.0
_FAILED_SECONDS = 10.0


class PrivateKubeconfig:
    """`with PrivateKubeconfig(access) as path:` gives a file that works until the end of the block.

    The folder is 0700 and removed afterwards, the files 0600. What processes that were
    killed have left of theirs is removed too.
    """

    def __init__(self, access: ClusterAccess) -> None:
        self._access = access
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._held: int | None = None
        self._over = threading.Event()
        self._renewer: threading.Thread | None = None

    def __enter__(self) -> Path:
        remove_orphans()
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX)
        folder = Path(self._folder.name)
        token_file = folder / "token"
        try:
            self._held = _hold(folder)
            if self._access.token is not None:
                token = self._access.token()
                _write_private(token_file, token.value)
                self._renewer = threading.Thread(
                    target=self._renew,
                    args=(self._access.token, token_file, token),
                    name="kubeconfig-token",
                    daemon=True,
                )
                self._renewer.start()
            kubeconfig = folder / "config"
            _write_private(kubeconfig, yaml.safe_dump(self._document(token_file)))
        except BaseException:
            self.close()
            raise
        return kubeconfig

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the renewal and remove the files."""
        self._over.set()
        if self._renewer is not None:
            self._renewer.join()
            self._renewer = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _renew(self, fresh: Any, file: Path, token: BearerToken) -> None:
        wait = _seconds_until_renewal(token)
        while not self._over.wait(wait):
            try:
                token = fresh()
            except errors.CliError:
                # The old one may hold a while longer; what uses it tells of a 401.
                wait = _FAILED_SECONDS
                continue
            _write_private(file, token.value)
            wait = _seconds_until_renewal(token)

    def _document(self, token_file: Path) -> dict[str, Any]:
        access = self._access
        cluster: dict[str, Any] = {"server": access.endpoint}
        if access.ca_pem:
            cluster["certificate-authority-data"] = _encoded(access.ca_pem)
        if access.tls_server_name:
            cluster["tls-server-name"] = access.tls_server_name
        if access.proxy_url:
            cluster["proxy-url"] = access.proxy_url
        user: dict[str, Any] = {}
        if access.token is not None:
            user["tokenFile"] = str(token_file)
        if access.client_certificate_pem:
            user["client-certificate-data"] = _encoded(access.client_certificate_pem)
            user["client-key-data"] = _encoded(access.client_key_pem)
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": _NAME,
            "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME}}],
            "clusters": [{"name": _NAME, "cluster": cluster}],
            "users": [{"name": _NAME, "user": user}],
        }


def remove_orphans() -> None:
    """Remove the folders of this user's processes that were killed; no living one's.

    A process holds a lock on its folder, which the system takes from it however it ends.
    """
    if sys.platform == "win32":
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # What is gone, somebody else's or in use is none of our business.
        with contextlib.suppress(OSError):
            # An empty one may be of a process that is just about to lock it.
            if folder.lstat().st_uid != os.getuid() or not os.listdir(folder):
                continue
            held = _hold(folder)
            try:
                shutil.rmtree(folder)
            finally:
                if held is not None:
                    os.close(held)


def _hold(folder: Path) -> int | None:
    """Lock a folder for as long as the descriptor is open; raises `OSError` if another has it."""
    if sys.platform == "win32":
        return None
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _seconds_until_renewal(token: BearerToken) -> float:
    if token.expires_at is None:
        return _UNKNOWN_LIFE_SECONDS
    left = (token.expires_at - datetime.now(UTC) - RENEW_BEFORE).total_seconds()
    return max(_FAILED_SECONDS, left - _READ_AGAIN_SECONDS)


def _write_private(file: Path, text: str) -> None:
    """Replace the file in one step, so that no reader sees half of it."""
    fresh = file.with_suffix(".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    fresh.replace(file)


def _encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode("ascii")
