"""The program that runs in pods: what it signs, what it reads, what it may stand on."""

from __future__ import annotations

import ast
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.pod_probe import Answer, answers
from anyscale_k8s_cli.templates import load_program
from anyscale_k8s_cli.templates.pod_probe import aws_credentials, s3
from anyscale_k8s_cli.templates.pod_probe.aws_credentials import Files
from anyscale_k8s_cli.templates.pod_probe.report import end, tell
from anyscale_k8s_cli.templates.pod_probe.rsa import signature
from anyscale_k8s_cli.templates.pod_probe.sigv4 import Keys, signed
from anyscale_k8s_cli.templates.pod_probe.store import Store, round_trip
from anyscale_k8s_cli.templates.pod_probe.wire import (
    NoCredentials,
    Refused,
    Unanswered,
    described,
    error_in,
)

PROGRAM = load_program("pod_probe")


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("text", PROGRAM.values(), ids=list(PROGRAM))
def test_any_image_of_python_can_run_it(text: str) -> None:
    """The words of Python 3.8, and its standard library alone."""
    tree = ast.parse(text, feature_version=(3, 8))

    assert set(imported(tree)) <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("PUT", "https://bucket.s3.us-west-2.example.com/a/b%20c/%C3%BC.txt", b"content"),
        ("GET", "https://s3.example.com:9000/bucket/?list-type=2&prefix=a%2Fb&max-keys=10", b""),
        ("POST", "https://s3.example.com/bucket/key?uploads=", b""),
        ("DELETE", "http://127.0.0.1:9000/bucket/key?uploadId=a%3Db", b""),
    ],
)
@pytest.mark.parametrize("token", ["", "a-session-token"])
def test_it_signs_as_botocore_does(method: str, url: str, body: bytes, token: str) -> None:
    headers = {"Content-Type": "application/octet-stream", "x-amz-checksum-crc32": "AAAAAA=="}
    asked = AWSRequest(method=method, url=url, data=body, headers=headers)
    S3SigV4Auth(Credentials("AKIA", "secret", token or None), "s3", "us-west-2").add_auth(asked)
    sent = dict(asked.headers.items())
    moment = sent["X-Amz-Date"]

    found = signed(Keys("AKIA", "secret", token), "us-west-2", method, url, headers, body, moment)

    assert found["x-amz-content-sha256"] == sent["X-Amz-Content-SHA256"]
    assert found["Authorization"] == sent["Authorization"]


def test_a_google_key_signs_as_google_verifies() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()

    proof = signature(pem, b"header.claims")

    key.public_key().verify(proof, b"header.claims", padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "nonsense",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----",
    ],
)
def test_what_is_no_key_is_said_so(pem: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        signature(pem, b"x")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "<?xml?><Error><Code>AccessDenied</Code>\n<Message>not\n you</Message></Error>",
            ("AccessDenied", "not you"),
        ),
        (
            '{"error": {"code": 403, "message": "no", "errors": [{"reason": "forbidden"}]}}',
            ("forbidden", "no"),
        ),
        ('{"error": "invalid_grant", "error_description": "gone"}', ("invalid_grant", "gone")),
        ('{"message": "Unauthorized", "__type": "X"}', ("X", "Unauthorized")),
        ("Forbidden by\nthe proxy", ("", "Forbidden by the proxy")),
        ("[1]", ("", "")),
    ],
)
def test_refusals_are_read_in_every_form(text: str, found: tuple[str, str]) -> None:
    assert error_in(text) == found


class TestWhereAwsCredentialsComeFrom:
    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        (tmp_path / ".aws").mkdir()
        return tmp_path

    def read(self, home: Path, config: str = "", credentials: str = "", **more: str) -> Any:
        (home / ".aws" / "config").write_text(config, encoding="utf-8")
        (home / ".aws" / "credentials").write_text(credentials, encoding="utf-8")
        environment = {"HOME": str(home), **more}
        return environment, Files.read(environment)

    def test_the_mounted_files_say_how_the_store_is_spoken_to(self, home: Path) -> None:
        config = (
            "[default]\nregion = eu-1\nendpoint_url = https://store.example.com\n"
            "request_checksum_calculation = when_required\n"
            "s3 =\n  addressing_style = path\n  signature_version = s3v4\n"
        )
        keys = "[default]\naws_access_key_id = id\naws_secret_access_key = %secret%\n"
        environment, files = self.read(home, config, keys)

        assert files.nested("s3") == {"addressing_style": "path", "signature_version": "s3v4"}
        found, source = aws_credentials.find(environment, files, "")
        assert (found.access_key, found.secret) == ("id", "%secret%")
        assert source == "shared credentials file"

    def test_what_is_told_of_keys_holds_no_secret(self) -> None:
        assert "hidden" not in repr(Keys("id", "hidden", "hidden"))

    def test_without_any_it_says_so(self, home: Path) -> None:
        environment, files = self.read(home)
        with pytest.raises(NoCredentials, match="no web identity"):
            aws_credentials.find(environment, files, "https://sts.example.com")

    def test_a_program_that_gives_them_is_not_run(self, home: Path) -> None:
        environment, files = self.read(home, "[default]\ncredential_process = /bin/helper\n")
        with pytest.raises(NoCredentials, match="/bin/helper"):
            aws_credentials.find(environment, files, "")

    def test_a_token_file_that_is_not_there(self, home: Path) -> None:
        environment, files = self.read(
            home, AWS_ROLE_ARN="arn:x", AWS_WEB_IDENTITY_TOKEN_FILE="/no/token"
        )
        with pytest.raises(NoCredentials, match="/no/token: No such file"):
            aws_credentials.find(environment, files, "https://sts.example.com")

    def test_a_file_that_nobody_can_read(self, home: Path) -> None:
        with pytest.raises(NoCredentials, match="cannot be read"):
            self.read(home, "no section")


@pytest.mark.parametrize(
    ("endpoint", "bucket", "style", "at"),
    [
        ("https://s3.example.com", "b", "auto", "https://b.s3.example.com"),
        ("https://s3.example.com", "with.dots", "auto", "https://s3.example.com/with.dots"),
        ("http://127.0.0.1:9000", "b", "auto", "http://127.0.0.1:9000/b"),
        ("https://s3.example.com", "b", "path", "https://s3.example.com/b"),
        ("https://store.example.com:8443", "b", "virtual", "https://b.store.example.com:8443"),
    ],
)
def test_where_a_bucket_is(endpoint: str, bucket: str, style: str, at: str) -> None:
    assert s3.address(endpoint, bucket, style) == at


def test_the_report_is_what_is_read_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    tell("store", "put", **described(Refused("https://s3", 403, "AccessDenied", "no")))
    tell("reach", "https://x", **described(Unanswered("https://x", "dns", "unknown")))
    tell("store", "get", ok=True, seconds=0.1)
    end()

    told = capsys.readouterr().out
    assert answers("pip: a warning of the image\n" + told) == (
        Answer("store", "put", False, "no", "refused", "AccessDenied", 403, at="https://s3"),
        Answer("reach", "https://x", False, "unknown", "unanswered", stage="dns", at="https://x"),
        Answer("store", "get", True, seconds=0.1),
    )


@pytest.mark.parametrize(
    "log",
    ["", "Traceback", '{"part": "store", "step": "put", "ok": true}', '{"part": 1', '{"odd": 1}'],
)
def test_a_report_that_is_not_whole_tells_nothing(log: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        answers(log)
    assert caught.value.code is errors.CLUSTER_FAILED


class Shut(Store):
    """Denies its first uses, as a store does that has not heard of a grant yet."""

    def __init__(self, denials: int) -> None:
        self.denials, self.content = denials, b""

    def put(self, key: str, content: bytes) -> None:
        if self.denials:
            self.denials -= 1
            raise Refused("https://s3", 403, "AccessDenied", "not yet")
        self.content = content

    def get(self, key: str) -> bytes:
        return self.content

    def keys(self, prefix: str) -> list[str]:
        return [prefix]

    def delete(self, key: str) -> None:
        self.content = b""


@pytest.mark.parametrize(("seconds", "written"), [(0, False), (60, True)])
def test_a_denial_may_be_one_that_passes(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    written: bool,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)

    round_trip(Shut(2), "key", until=time.monotonic() + seconds)

    end()
    put = answers(capsys.readouterr().out)[0]
    assert (put.step, put.ok) == ("put", written)
