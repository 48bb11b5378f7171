"""AWS credentials, looked for where the SDKs look and in their order.

https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import configparser
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from .sigv4 import Keys
from .wire import NoCredentials, Unlike, send

_STS_VERSION = "2011-06-15"
_FORM = "application/x-www-form-urlencoded"
_SESSION = "anyscale-k8s-probe"


@dataclass(frozen=True)
class Files:
    """The profile in use, from the two files of the SDKs: empty where they are not there."""

    credentials: Mapping[str, str]
    config: Mapping[str, str]

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Files:
        """Raises :class:`NoCredentials` for files that nobody can read."""
        home = Path(environment.get("HOME", "/")) / ".aws"
        name = environment.get("AWS_PROFILE") or "default"
        credentials = environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials"
        config = environment.get("AWS_CONFIG_FILE") or home / "config"
        section = name if name == "default" else f"profile {name}"
        return cls(_profile(Path(credentials), name), _profile(Path(config), section))

    def nested(self, name: str) -> Mapping[str, str]:
        """What is below a name of the config file (`s3 =` and lines that are set in)."""
        lines = (line.partition("=") for line in self.config.get(name, "").splitlines())
        return {key.strip(): value.strip() for key, _, value in lines if key.strip()}


def find(environment: Mapping[str, str], files: Files, sts: str) -> tuple[Keys, str]:
    """The keys, and where they come from. `sts` is where tokens are exchanged.

    Raises :class:`NoCredentials`, and what an exchange raises.
    """
    if environment.get("AWS_ACCESS_KEY_ID"):
        return _static(environment, "AWS_ACCESS_KEY_ID", str.upper), "variables of the environment"
    for said, role, token in (
        (environment, "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        (files.config, "role_arn", "web_identity_token_file"),
    ):
        if said.get(token):
            arn = said.get(role, "")
            return _web_identity(sts, arn, said[token]), f"web identity, role {arn}"
    if files.credentials.get("aws_access_key_id"):
        return _static(files.credentials, "aws_access_key_id", str), "shared credentials file"
    for said in (files.credentials, files.config):
        if said.get("credential_process"):
            return _of_process(said["credential_process"]), "credential process"
    if environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return _container(environment), _whose(environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
    raise NoCredentials(
        "no AWS credentials: no web identity, no container credentials and no credentials file"
    )


def _static(said: Mapping[str, str], access_key: str, spelt: Any) -> Keys:
    secret = said.get(spelt("aws_secret_access_key"), "")
    if not secret:
        raise NoCredentials(f"{access_key} is there without its secret")
    return Keys(said[access_key], secret, said.get(spelt("aws_session_token"), ""))


def _web_identity(sts: str, role: str, token_file: str) -> Keys:
    if not sts:
        raise NoCredentials("it is not known where STS is")
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": _STS_VERSION,
        "RoleArn": role,
        "RoleSessionName": _SESSION,
        "WebIdentityToken": _text(token_file),
    }
    answer = send("POST", f"{sts}/", {"Content-Type": _FORM}, urlencode(form).encode())
    text = answer.body.decode("utf-8", "replace")
    return Keys(*(_element(text, name) for name in _PARTS))


_PARTS = ("AccessKeyId", "SecretAccessKey", "SessionToken")


def _container(environment: Mapping[str, str]) -> Keys:
    token_file = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    headers = {"Authorization": _text(token_file)} if token_file else {}
    answer = send("GET", environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers)
    return _keys_in(answer.body.decode("utf-8", "replace"), "Token")


def _whose(url: str) -> str:
    """Who gives a container its credentials, as people call it."""
    parts = urlsplit(url)
    agent = parts.path == "/v1/credentials"
    return "EKS Pod Identity agent" if agent else f"container credentials of {parts.netloc}"


def _of_process(command: str) -> Keys:
    """The image that runs this has no program but Python."""
    raise NoCredentials(f"credentials come from a program, which is not run here: {command}")


def _keys_in(text: str, token: str) -> Keys:
    try:
        found = json.loads(text)
        return Keys(found["AccessKeyId"], found["SecretAccessKey"], found.get(token, ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unlike("what was answered holds no credentials") from None


def _element(text: str, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
    if found is None:
        raise Unlike(f"STS answered without {name}")
    return html.unescape(found[1])


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as problem:
        raise NoCredentials(f"{path}: {problem.strerror}") from None


def _profile(path: Path, section: str) -> Mapping[str, str]:
    parser = configparser.RawConfigParser()
    try:
        if not path.is_file():
            return {}
        parser.read_string(path.read_text(encoding="utf-8"))
        return dict(parser[section]) if parser.has_section(section) else {}
    except (OSError, UnicodeDecodeError, configparser.Error) as problem:
        raise NoCredentials(f"{path} cannot be read: {type(problem).__name__}") from None
