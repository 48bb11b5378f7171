"""A container of Azure's: a token of Entra for the pod's own, or for a client secret."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .store import Store
from .wire import NoCredentials, Unlike, origin, send

_SCOPE = "https://storage.azure.com/.default"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FORM = "application/x-www-form-urlencoded"
_VERSION = "2021-12-02"
_NAME = re.compile(r"<Name>(.*?)</Name>", re.DOTALL)


def store(asked: Mapping[str, Any], environment: Mapping[str, str]) -> Store:
    """Raises what finding a token raises."""
    if not asked.get("at"):
        raise NoCredentials("it is not known where the store is")
    token, source = _token(asked, environment)
    # `abfss://<container>@<account>…`, or the container alone.
    parts = urlsplit(str(asked["url"]))
    container = parts.username or parts.netloc
    return _Azure(token, source, f"{str(asked['at']).rstrip('/')}/{container}")


def _token(asked: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[str, str]:
    client = environment.get("AZURE_CLIENT_ID", "")
    tenant = environment.get("AZURE_TENANT_ID", "")
    host = environment.get("AZURE_AUTHORITY_HOST") or str(asked.get("tokens_at") or "")
    proof, source = _proof(environment)
    if not (client and tenant and host):
        missing = "AZURE_CLIENT_ID" if not client else "AZURE_TENANT_ID"
        raise NoCredentials(f"{missing if not (client and tenant) else 'Entra'} is not known")
    form = {"grant_type": "client_credentials", "client_id": client, "scope": _SCOPE, **proof}
    url = f"{host.rstrip('/')}/{tenant}/oauth2/v2.0/token"
    answer = send("POST", url, {"Content-Type": _FORM}, urlencode(form).encode())
    try:
        return str(json.loads(answer.body)["access_token"]), f"{source}, client {client}"
    except (ValueError, KeyError, TypeError):
        raise Unlike("Entra's answer holds no access token") from None


def _proof(environment: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """In the order of Azure's SDKs: a secret, then workload identity."""
    if environment.get("AZURE_CLIENT_SECRET"):
        return {"client_secret": environment["AZURE_CLIENT_SECRET"]}, "client secret"
    file = environment.get("AZURE_FEDERATED_TOKEN_FILE")
    if not file:
        raise NoCredentials("no Azure credentials: no federated token and no client secret")
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except OSError as problem:
        raise NoCredentials(f"{file}: {problem.strerror}") from None
    return (
        {"client_assertion_type": _ASSERTION, "client_assertion": token},
        "workload identity",
    )


class _Azure(Store):
    def __init__(self, token: str, source: str, base: str) -> None:
        self.source = source
        self.at = origin(base)
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}", "x-ms-version": _VERSION}

    def put(self, key: str, content: bytes) -> None:
        more = {"x-ms-blob-type": "BlockBlob", "Content-Type": "text/plain"}
        send("PUT", self._blob(key), {**self._headers, **more}, content)

    def get(self, key: str) -> bytes:
        return send("GET", self._blob(key), self._headers).body

    def keys(self, prefix: str) -> list[str]:
        query = {"restype": "container", "comp": "list", "prefix": prefix, "maxresults": "10"}
        found = send("GET", f"{self._base}?{urlencode(query)}", self._headers).body
        return [html.unescape(name) for name in _NAME.findall(found.decode("utf-8", "replace"))]

    def delete(self, key: str) -> None:
        send("DELETE", self._blob(key), self._headers)

    def _blob(self, key: str) -> str:
        return f"{self._base}/{quote(key)}"
