"""The lock of an install: a Lease beside the ledger.

60 s long, unless `ANYSCALE_K8S_LOCK_SECONDS` says otherwise, and renewed four
times in that. The Lease says how long it is, so each holder decides for itself.
Whether another holder lives is judged by whether the Lease changes while we look,
not by comparing clocks. A holder that was a process of this very machine and is
no more is not waited for.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.transport import KubernetesError
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.run import Run, StillWaiting

LEASE_NAME = "anyscale-k8s-lock"
LEASE_SECONDS = 60
SECONDS_VARIABLE = "ANYSCALE_K8S_LOCK_SECONDS"
# Less would take a slow answer of the cluster for a dead holder.
LEAST_SECONDS = 4
_RENEWALS = 4
_HOLDER = "anyscale-k8s/holder"
_MACHINE = "anyscale-k8s/machine"
_PROCESS = "anyscale-k8s/process"


def lease_reference(namespace: str) -> Reference:
    return Reference("coordination.k8s.io/v1", "Lease", LEASE_NAME, namespace)


def lease_seconds(environment: Mapping[str, str]) -> int:
    """How long a silent holder counts as alive. Raises `usage` for what is no such number."""
    said = environment.get(SECONDS_VARIABLE)
    if not said:
        return LEASE_SECONDS
    if not said.isdigit() or int(said) < LEAST_SECONDS:
        raise errors.CliError(
            errors.USAGE,
            f"{SECONDS_VARIABLE}: {said!r} is no number of seconds from {LEAST_SECONDS} on",
            fix=f"leave it unset ({LEASE_SECONDS} s), or give a whole number",
        )
    return int(said)


def lease_document(namespace: str) -> Document:
    """The Lease while nobody holds it."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE_NAME, "namespace": namespace},
        "spec": {},
    }


class InstallLock:
    """Held inside a `with`; `guard` raises once it may have been lost.

    Raises `lock-held` when another run is alive.
    """

    def __init__(
        self, kubernetes: Kubernetes, install: Install, run: Run, seconds: int = LEASE_SECONDS
    ) -> None:
        self._kubernetes = kubernetes
        self._install = install
        self._run = run
        self._seconds = seconds
        self._identity = uuid.uuid4().hex
        self._renewed = 0.0
        self._released = threading.Event()
        self._gone = False
        self._thread = threading.Thread(target=self._renew, name="install-lock", daemon=True)

    def __enter__(self) -> Self:
        found = self._read()
        if found is None:
            self._write_new()
        else:
            if _holder(found):
                self._wait_for_holder(found)
                found = self._read()
            if found is None:
                self._write_new()
            else:
                self._take(found)
        self._renewed = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._released.set()
        self._thread.join()
        if self._gone:
            return
        # Who finds a Lease that was not given back takes it once it has expired.
        with contextlib.suppress(errors.CliError):
            found = self._read()
            if found is not None and _holder(found) == self._identity:
                found["spec"]["holderIdentity"] = ""
                self._kubernetes.replace(found)

    def guard(self) -> None:
        """Raise `lock-lost` when the last renewal is too old to start anything new."""
        patience = self._seconds * 2 / 3
        if time.monotonic() - self._renewed > patience:
            raise errors.CliError(
                errors.LOCK_LOST,
                "The lock of this install could not be renewed",
                cause=f"no renewal for {patience:.0f} s; another run may go on instead",
                fix="see that nobody else works on it, then run the same command again",
            )

    def delete(self) -> None:
        """Remove the Lease itself: with the ledger, the last step of a teardown."""
        self._gone = True
        self._released.set()
        self._kubernetes.delete(lease_reference(self._install.namespace))

    def _read(self) -> Document | None:
        reference = lease_reference(self._install.namespace)
        return self._kubernetes.get(
            reference.api_version, reference.kind, reference.name, reference.namespace
        )

    def _write_new(self) -> None:
        lease = lease_document(self._install.namespace)
        self._claim(lease)
        try:
            self._kubernetes.create(lease)
        except KubernetesError as problem:
            if problem.reason != "AlreadyExists":
                raise
            self._check_ours(lease, problem)

    def _take(self, lease: Document) -> None:
        self._claim(lease)
        try:
            self._kubernetes.replace(lease)
        except KubernetesError as problem:
            if problem.status != 409:
                raise
            self._check_ours(lease, problem)

    def _check_ours(self, lease: Document, problem: KubernetesError) -> None:
        """A write that was done and not answered is refused when it is repeated."""
        found = self._read()
        if found is None or _holder(found) != self._identity:
            raise self._held(found or lease) from problem

    def _claim(self, lease: Document) -> None:
        metadata, spec = lease["metadata"], lease.setdefault("spec", {})
        annotations = metadata.get("annotations") or {}
        metadata["annotations"] = annotations | {
            _HOLDER: _description(),
            _MACHINE: _machine(),
            _PROCESS: _process(os.getpid()),
        }
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        spec.update(
            holderIdentity=self._identity,
            leaseDurationSeconds=self._seconds,
            acquireTime=now,
            renewTime=now,
        )

    def _wait_for_holder(self, found: Document) -> None:
        """Return once the holder is known to be dead; raise as soon as it shows life."""
        if _died_here(found):
            self._run.emit(
                Notice(level="info", text=f"Going on where {_who(found)} was ended before its end")
            )
            return
        version = found["metadata"]["resourceVersion"]
        duration = found["spec"].get("leaseDurationSeconds") or LEASE_SECONDS
        since = time.monotonic()

        def probe() -> None:
            now = self._read()
            if now is None or not _holder(now):
                return
            if now["metadata"]["resourceVersion"] != version:
                raise self._held(now)
            if time.monotonic() - since < duration:
                known = f"whether it is still at work is known within {duration} s"
                raise StillWaiting(f"{_who(now)}{_since(now)}; {known}")

        self._run.wait_for(
            probe,
            what=f"the other run on cloud {self._install.cloud}",
            timeout=duration * 2,
            every=min(5.0, duration / _RENEWALS),
        )

    def _held(self, lease: Document) -> errors.CliError:
        return errors.CliError(
            errors.LOCK_HELD,
            f"Another run works on {self._install.cloud}",
            cause=f"held by {_who(lease)}",
            fix="wait until it has ended, then run the same command again",
        )

    def _renew(self) -> None:
        while not self._released.wait(self._seconds / _RENEWALS):
            # A failed renewal is tried again; `guard` watches how old the last one is.
            with contextlib.suppress(errors.CliError):
                found = self._read()
                if found is None or _holder(found) != self._identity:
                    self._renewed = float("-inf")
                    return
                found["spec"]["renewTime"] = time.strftime(
                    "%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime()
                )
                self._kubernetes.replace(found)
                self._renewed = time.monotonic()


def _holder(lease: Document) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def _who(lease: Document) -> str:
    return str((lease["metadata"].get("annotations") or {}).get(_HOLDER) or "someone")


def _since(lease: Document) -> str:
    """`, since 03:14:05 UTC`; empty where the Lease does not tell."""
    moment = str((lease.get("spec") or {}).get("acquireTime") or "")
    clock = moment.partition("T")[2].partition(".")[0]
    return f", since {clock} UTC" if clock else ""


def _description() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()} (process {os.getpid()})"


def _machine() -> str:
    """This boot of this machine and this process-id namespace; empty where Linux does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _process(pid: int) -> str:
    """A process by its id and start time, so that a reused id is not mistaken; empty if none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return "" if state == "Z" else f"{pid}/{started}"


def _died_here(lease: Document) -> bool:
    annotations = lease["metadata"].get("annotations") or {}
    machine, process = annotations.get(_MACHINE), annotations.get(_PROCESS)
    if not machine or machine != _machine() or not process:
        return False
    pid = process.partition("/")[0]
    return not pid.isdigit() or _process(int(pid)) != process
