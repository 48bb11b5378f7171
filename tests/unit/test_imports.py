"""Libraries are imported without what they can do without; for others it is there as before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from anyscale_k8s_cli.imports import without

AS_BEFORE = {
    "anyscale_k8s_cli.cluster.context": "google.auth.transport.requests",
    "anyscale_k8s_cli.providers.gke.sdk.container": "aiohttp",
    "anyscale_k8s_cli.providers.oke.sdk.session": "pkcs11",
    "anyscale_k8s_cli.providers.eks.sdk.session": "OpenSSL",
    "anyscale_k8s_cli.providers.objectstore.sdk.client": "OpenSSL",
}


@pytest.mark.parametrize(("module", "other"), AS_BEFORE.items())
def test_what_is_not_used_is_not_imported(module: str, other: str) -> None:
    pytest.importorskip(other)
    code = f"import sys, {module}; print('{other}' in sys.modules); import {other}"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "False"


def test_what_is_imported_stays() -> None:
    with without("json", "nobody.knows"):
        import json

        assert json is sys.modules["json"]
        with pytest.raises(ImportError):
            __import__("nobody.knows")
    assert "nobody.knows" not in sys.modules
