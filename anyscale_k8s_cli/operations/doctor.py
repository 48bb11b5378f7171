"""Doctor: what this machine brings with it, as checks like those of a cloud."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.abilities import KnowsCaller
from anyscale_k8s_cli.checks import (
    BoundCheck,
    Finding,
    Report,
    Status,
    When,
    declared,
    passed,
    run_checks,
)
from anyscale_k8s_cli.checks.registry import refuse_slips, refuse_unknown
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable, find_helm
from anyscale_k8s_cli.controlplane.client import ControlPlane
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.credentials import anonymous, find_credentials
from anyscale_k8s_cli.operations.reach import from_here
from anyscale_k8s_cli.operations.requests import DoctorRequest
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider_registry import available, load
from anyscale_k8s_cli.run import Run

DOCTOR_SCHEMA = "anyscale-k8s/doctor/v1"
# Seconds: more than answers take, and what signatures of clouds bear at the most.
_NOTICED, _REFUSED = 60, 300
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
# Where cloud machines and pods are told who they are: never through a proxy.
_METADATA = "169.254.169.254"
# What the programs in this one read, each its own.
_BUNDLES = (
    "ANYSCALE_SSL_CA_CERT",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
)
_OWN_PACKAGE = "anyscale_k8s_cli"
_SCRIPT_BYTES = 4096


@dataclass(frozen=True)
class DoctorReport:
    report: Report

    @property
    def failed(self) -> bool:
        return self.report.first_failure is not None

    def as_json(self) -> dict[str, Any]:
        return {"schema": DOCTOR_SCHEMA, **self.report.as_json()}


async def doctor(request: DoctorRequest, run: Run) -> DoctorReport:
    """Run the checks of this machine, side by side.

    Raises `usage` for codes that are no checks.
    """
    refuse_slips("--waive", request.waived, When.DOCTOR)
    refuse_unknown("--only", request.only, When.DOCTOR)
    machine = _Machine(request, run)
    checks = [item for item in machine.checks() if not request.only or item.code in request.only]
    return DoctorReport(await run_checks(checks, run, request.waived))


class _Machine:
    """Every method is one check; they share nothing but what was asked for."""

    def __init__(self, request: DoctorRequest, run: Run) -> None:
        self._request = request
        self._environment = request.environment
        self._run = run

    def checks(self) -> tuple[BoundCheck, ...]:
        return (
            declared.MACHINE_SCRIPT.bind(self._script),
            declared.MACHINE_TERMINAL.bind(self._terminal),
            declared.MACHINE_PROXY.bind(lambda: proxies(self._environment)),
            declared.MACHINE_CERTIFICATES.bind(lambda: bundles(self._environment)),
            declared.MACHINE_CONTROL_PLANE.bind(self._control_plane),
            declared.MACHINE_CLOCK.bind(self._clock),
            declared.MACHINE_LOGIN.bind(self._login),
            declared.MACHINE_CREDENTIALS.bind(self._credentials),
            declared.MACHINE_HELM.bind(self._helm),
        )

    def _script(self) -> Finding:
        return script(self._request.program, self._environment.get("PATH", ""))

    def _terminal(self) -> Finding:
        encoding = (sys.stdout.encoding or "").lower()
        width = shutil.get_terminal_size().columns
        shown = f"{width} columns, {encoding or 'no encoding'}"
        if encoding.replace("-", "") == "utf8":
            return passed(shown)
        return Finding(Status.WARN, shown, fix="set LANG=C.UTF-8, or PYTHONIOENCODING=utf-8")

    def _control_plane(self) -> Finding:
        with self._plane() as plane:
            return from_here(plane)

    def _clock(self) -> Finding:
        with self._plane() as plane:
            before = datetime.now(UTC)
            return clock(plane.server_time(), before)

    def _plane(self) -> ControlPlane:
        return ControlPlane(anonymous(self._environment), self._run, environ=self._environment)

    def _login(self) -> Finding:
        try:
            credentials = find_credentials(self._environment, self._request.home)
            with ControlPlane(credentials, self._run, environ=self._environment) as plane:
                user = Clouds(plane).user()
        except errors.CliError as problem:
            if problem.exit_code != errors.ExitCode.NOT_PERMITTED:
                raise
            return Finding(Status.FAIL, _told(problem), problem.evidence, problem.fix)
        where = ", ".join(item.name for item in user.organizations)
        detail = f"{user.email}{f' of {where}' * bool(where)}, by {credentials.source}"
        if credentials.warnings:
            return Finding(Status.WARN, detail, credentials.warnings, "anyscale auth fix")
        return passed(detail)

    def _credentials(self) -> Finding:
        told = side_by_side(*(partial(self._whose, platform) for platform in available()))
        known = [line for there, line in told if there]
        others = [line for there, line in told if line and not there]
        if known:
            return Finding(Status.PASS, "; ".join(known), tuple(others))
        return Finding(
            Status.WARN,
            "no platform's credentials are here",
            tuple(others),
            "sign in with the platform's own tool, or set its variables; "
            "docs/providers.md leads to each platform's page",
        )

    def _whose(self, platform: str) -> tuple[bool, str]:
        """Whether there are credentials, and a line about them; empty where none are known of."""
        try:
            provider = load(platform, self._run)
            if not isinstance(provider, KnowsCaller):
                return False, ""
            return True, f"{platform}: {provider.caller()}"
        except errors.CliError as problem:
            if problem.exit_code >= errors.ExitCode.INTERRUPTED:
                raise
            return False, f"{platform}: {_told(problem)}"

    def _helm(self) -> Finding:
        looking = replace(self._run, listeners=())
        try:
            found: HelmExecutable = asyncio.run(
                find_helm(looking, named=self._request.helm.named, fetch=False)
            )
        except errors.CliError as problem:
            if problem.code is not errors.HELM_MISSING:
                raise
            return Finding(
                Status.WARN,
                "none is here: one is fetched when it is needed first",
                problem.evidence,
                problem.fix,
            )
        return passed(f"{found.version} at {found.path}")


def script(program: str, path: str) -> Finding:
    """Whether the name that was typed is ours: the vendor's client has a script of it too."""
    found = shutil.which(program, path=path)
    if found is None:
        return passed(f"`{program}` is not in PATH; it was started by its place")
    try:
        text = Path(found).read_bytes()[:_SCRIPT_BYTES].decode("utf-8", errors="replace")
    except OSError as problem:
        return Finding(Status.UNKNOWN, f"{found}: {problem.strerror}")
    if _OWN_PACKAGE in text:
        return passed(found)
    return Finding(
        Status.WARN,
        f"`{program}` in PATH is {found}, which is not this tool's",
        fix="use the name anyscale-k8s, which is this tool's alone",
    )


def clock(theirs: datetime, ours: datetime) -> Finding:
    """How far the clock is off; clouds refuse what is signed at a wrong time."""
    off = round((ours - theirs).total_seconds())
    detail = f"{abs(off)} s {'ahead' if off > 0 else 'behind'}" if off else "as the control plane's"
    if abs(off) < _NOTICED:
        return passed(detail)
    status = Status.FAIL if abs(off) >= _REFUSED else Status.WARN
    return Finding(status, detail, fix="set the clock, for example: sudo timedatectl set-ntp true")


def proxies(environment: Mapping[str, str]) -> Finding:
    """Proxies that no program could use, and metadata services that would be asked for by one."""
    said = dict(_said(environment))
    if not said:
        return passed("none is set")
    for name, url in said.items():
        address = urlsplit(url)
        if address.scheme not in ("http", "https", "socks5", "socks5h") or not address.hostname:
            return Finding(
                Status.FAIL,
                f"{name} is no address of a proxy",
                fix=f"set {name} to a URL such as http://proxy.example.com:3128, or unset it",
            )
    shown = ", ".join(f"{name} {_without_password(url)}" for name, url in said.items())
    exempt = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if _METADATA not in exempt and exempt.strip() != "*":
        return Finding(
            Status.WARN,
            f"{shown}; the metadata services of clouds would be asked for through it",
            fix=f"export NO_PROXY={','.join(filter(None, (exempt, _METADATA)))}",
        )
    return passed(shown)


def _said(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in _PROXIES:
        for spelling in (name, name.lower()):
            if environment.get(spelling):
                yield spelling, environment[spelling]
                break


def _without_password(url: str) -> str:
    address = urlsplit(url)
    place = address.hostname or ""
    return f"{address.scheme}://{place}{f':{address.port}' if address.port else ''}"


def bundles(environment: Mapping[str, str]) -> Finding:
    """Bundles that cannot be read, and programs that would not know of one."""
    said = {name: environment[name] for name in _BUNDLES if environment.get(name)}
    if not said:
        return passed("none is set: each program has its own")
    for name, file in said.items():
        try:
            ssl.create_default_context(cafile=file)
        except (OSError, ssl.SSLError) as problem:
            return Finding(
                Status.FAIL,
                f"{name}: {file} cannot be used: {problem.strerror or problem}",
                fix=f"set {name} to one file of PEM blocks, or unset it",
            )
    shown = ", ".join(f"{name} {file}" for name, file in said.items())
    if "SSL_CERT_FILE" not in said and len({os.path.realpath(file) for file in said.values()}) == 1:
        file = next(iter(said.values()))
        return Finding(
            Status.WARN,
            f"{shown}; helm and others read SSL_CERT_FILE",
            fix=f"export SSL_CERT_FILE={file}",
        )
    return passed(shown)


def _told(problem: errors.CliError) -> str:
    return f"{problem}: {problem.cause}" if problem.cause else str(problem)
