"""What this machine brings: each check by itself, and all of them in one command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from anyscale_k8s_cli.checks import Status, When
from anyscale_k8s_cli.checks.registry import codes
from anyscale_k8s_cli.operations.doctor import bundles, clock, doctor, proxies, script
from anyscale_k8s_cli.operations.requests import DoctorRequest, HelmChoice
from anyscale_k8s_cli.run import Run

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0, Status.PASS), (-59, Status.PASS), (61, Status.WARN), (-301, Status.FAIL)],
)
def test_a_clock_that_is_off(seconds: int, status: Status) -> None:
    """`machine-clock`."""
    found = clock(NOW, NOW + timedelta(seconds=seconds))
    assert found.status is status
    assert ("behind" in found.detail) == (seconds < 0)


@pytest.mark.parametrize(
    ("environment", "status", "said"),
    [
        ({}, Status.PASS, "none"),
        ({"HTTPS_PROXY": "proxy:3128"}, Status.FAIL, "HTTPS_PROXY is no address"),
        ({"https_proxy": "http://me:secret@p.example:3128"}, Status.WARN, "http://p.example:3128"),
        (
            {"HTTPS_PROXY": "http://p.example", "NO_PROXY": "169.254.169.254"},
            Status.PASS,
            "HTTPS_PROXY http://p.example",
        ),
    ],
)
def test_proxies_that_cannot_be_used(
    environment: dict[str, str], status: Status, said: str
) -> None:
    """`machine-proxy`; a password is never shown."""
    found = proxies(environment)
    assert (found.status, said in found.detail) == (status, True)
    assert "secret" not in found.detail + found.fix


def test_bundles_that_cannot_be_read(tmp_path: Path) -> None:
    """`machine-certificates`."""
    good, bad = tmp_path / "ca.pem", tmp_path / "none.pem"
    good.write_bytes(trustme.CA().cert_pem.bytes())
    assert bundles({}).status is Status.PASS
    assert bundles({"SSL_CERT_FILE": str(good)}).status is Status.PASS
    found = bundles({"SSL_CERT_FILE": str(bad)})
    assert (found.status, str(bad) in found.detail) == (Status.FAIL, True)
    found = bundles({"REQUESTS_CA_BUNDLE": str(good)})
    assert (found.status, found.fix) == (Status.WARN, f"export SSL_CERT_FILE={good}")


def test_whose_script_a_name_leads_to(tmp_path: Path) -> None:
    """`machine-script`."""
    program = tmp_path / "anyscale"
    program.write_text("#!/usr/bin/python\nfrom anyscale.scripts import cli\n")
    program.chmod(0o755)
    found = script("anyscale", str(tmp_path))
    assert (found.status, str(program) in found.detail) == (Status.WARN, True)
    program.write_text("#!/usr/bin/python\nfrom anyscale_k8s_cli.cli.main import main\n")
    assert script("anyscale", str(tmp_path)).status is Status.PASS
    assert script("anyscale", str(tmp_path / "elsewhere")).status is Status.PASS


async def test_a_bare_machine(home: Path) -> None:
    """Nobody answers, nobody is logged in, and there is no helm: each is told by its own code.

    Clouds are not asked here: on a bare machine their SDKs look for a metadata service.
    """
    request = DoctorRequest(
        environment={"ANYSCALE_HOST": "http://127.0.0.1:9", "PATH": ""},
        home=home,
        program="anyscale-k8s",
        helm=HelmChoice(named=home / "helm"),
        waived=("machine-terminal",),
        only=tuple(codes(When.DOCTOR) - {"machine-credentials"}),
    )
    report = await doctor(request, Run(deadline=None))
    found = {item["code"]: item["status"] for item in report.as_json()["checks"]}
    assert set(found) == codes(When.DOCTOR) - {"machine-credentials"}
    own = ("machine-proxy", "machine-certificates", "machine-script")
    assert {found[code] for code in own} == {"pass"}
    assert found["machine-control-plane"] == "fail"
    assert found["machine-clock"] == "unknown"
    assert found["machine-login"] == "fail"
    assert found["machine-helm"] == "warn"
    assert found["machine-terminal"] == "waived"
    assert report.failed
