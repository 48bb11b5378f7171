"""A bucket of Google's: a token of the metadata server, or one for a mounted key file."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from .rsa import signature
from .store import Store
from .wire import Answer, NoCredentials, Unlike, origin, send

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_METADATA = "metadata.google.internal"
_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default"
_FORM = "application/x-www-form-urlencoded"
_BEARER_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
_SECONDS = 3600


def store(asked: Mapping[str, Any], environment: Mapping[str, str]) -> Store:
    """Raises what finding a token raises."""
    if not asked.get("at"):
        raise NoCredentials("it is not known where the store is")
    token, source = _token(environment)
    bucket = str(asked["url"]).partition("://")[2].strip("/")
    return _Google(token, source, str(asked["at"]).rstrip("/"), bucket)


def _token(environment: Mapping[str, str]) -> tuple[str, str]:
    file = environment.get("GOOGLE_APPLICATION_CREDENTIALS")
    if not file:
        return _of_metadata(environment)
    try:
        said = json.loads(Path(file).read_text(encoding="utf-8"))
        kind = said.get("type")
    except (OSError, ValueError, AttributeError) as problem:
        raise NoCredentials(f"{file} cannot be read: {type(problem).__name__}") from None
    try:
        if kind == "service_account":
            return _of_key(said), f"key file, account {said['client_email']}"
        if kind == "external_account":
            return _federated(said), "workload identity federation"
    except (KeyError, TypeError) as missing:
        raise NoCredentials(f"{file} has no {missing}") from None
    raise NoCredentials(f"{file} is of the type {kind!r}, which pods cannot use")


def _of_metadata(environment: Mapping[str, str]) -> tuple[str, str]:
    host = environment.get("GCE_METADATA_HOST") or _METADATA
    at, headers = f"http://{host}{_ACCOUNT}", {"Metadata-Flavor": "Google"}
    # https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity#limitations
    email = send("GET", f"{at}/email", headers, young=True).body.decode("utf-8", "replace").strip()
    return _access_token(send("GET", f"{at}/token", headers)), f"metadata server, account {email}"


def _of_key(said: Mapping[str, Any]) -> str:
    now = int(time.time())
    claims = {
        "iss": said["client_email"],
        "scope": _SCOPE,
        "aud": said["token_uri"],
        "iat": now,
        "exp": now + _SECONDS,
    }
    head = {"alg": "RS256", "typ": "JWT", "kid": said["private_key_id"]}
    text = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
    try:
        proof = _encoded(signature(str(said["private_key"]), text.encode()))
    except ValueError as problem:
        raise NoCredentials(f"the private key in the key file cannot be read: {problem}") from None
    form = {"grant_type": _BEARER_GRANT, "assertion": f"{text}.{proof}"}
    return _access_token(_post(str(said["token_uri"]), form))


def _federated(said: Mapping[str, Any]) -> str:
    """The pod's own token for one of Google's, and that for one of a service account's."""
    form = {
        "grant_type": _EXCHANGE,
        "audience": said["audience"],
        "scope": _SCOPE,
        "requested_token_type": _ACCESS_TOKEN,
        "subject_token_type": said["subject_token_type"],
        "subject_token": _subject(said["credential_source"]),
    }
    token = _access_token(_post(str(said["token_url"]), form))
    account = said.get("service_account_impersonation_url")
    if not account:
        return token
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = send("POST", str(account), headers, json.dumps({"scope": [_SCOPE]}).encode())
    return _access_token(answer, "accessToken")


def _subject(source: Mapping[str, Any]) -> str:
    try:
        text = Path(str(source["file"])).read_text(encoding="utf-8").strip()
    except OSError as problem:
        raise NoCredentials(f"{source['file']}: {problem.strerror}") from None
    form = source.get("format") or {}
    if form.get("type") != "json":
        return text
    return str(json.loads(text)[form["subject_token_field_name"]])


def _post(url: str, form: Mapping[str, Any]) -> Answer:
    return send("POST", url, {"Content-Type": _FORM}, urlencode(form).encode())


def _access_token(answer: Answer, name: str = "access_token") -> str:
    try:
        return str(json.loads(answer.body)[name])
    except (ValueError, KeyError, TypeError):
        raise Unlike("the answer holds no access token") from None


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class _Google(Store):
    def __init__(self, token: str, source: str, base: str, bucket: str) -> None:
        self.source = source
        self.at = origin(base)
        self._base = base
        self._bucket = quote(bucket, safe="")
        self._headers = {"Authorization": f"Bearer {token}"}

    def put(self, key: str, content: bytes) -> None:
        query = urlencode({"uploadType": "media", "name": key})
        url = f"{self._base}/upload/storage/v1/b/{self._bucket}/o?{query}"
        send("POST", url, {**self._headers, "Content-Type": "text/plain"}, content)

    def get(self, key: str) -> bytes:
        return send("GET", f"{self._object(key)}?alt=media", self._headers).body

    def keys(self, prefix: str) -> list[str]:
        query = urlencode({"prefix": prefix, "maxResults": "10"})
        url = f"{self._base}/storage/v1/b/{self._bucket}/o?{query}"
        found: dict[str, Any] = json.loads(send("GET", url, self._headers).body)
        return [str(item["name"]) for item in found.get("items", [])]

    def delete(self, key: str) -> None:
        send("DELETE", self._object(key), self._headers)

    def _object(self, key: str) -> str:
        return f"{self._base}/storage/v1/b/{self._bucket}/o/{quote(key, safe='')}"
