"""Whether a cloud could read an issuer: of one that is published, and of those that are not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.cluster.service_account_tokens import Issuer as Told
from anyscale_k8s_cli.providers.federation import codes, declared
from anyscale_k8s_cli.providers.federation.issuer import find, public_issuer
from anyscale_k8s_cli.providers.federation.sdk.session import Session
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.issuers import PublishedIssuer
from anyscale_k8s_cli.sandbox.tls import Authority
from tests.issuer import Issuer


def told(issuer: Issuer) -> Told:
    """As the cluster itself tells of it."""
    keys = (issuer.keys(issuer.url) or {})["keys"]
    return Told(issuer.url, frozenset(key["kid"] for key in keys))


def test_one_that_is_published_with_its_keys_passes(run: Run, issuer: Issuer) -> None:
    assert find(Session(run), told(issuer)).status is Status.PASS


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://kubernetes.default.svc.cluster.local", "in the cluster alone"),
        ("https://kubernetes.default.svc", "in the cluster alone"),
        ("https://master", "in the cluster alone"),
        ("https://10.0.0.1:6443", "a private one"),
        ("http://issuer.example.com", "by https alone"),
        ("kubernetes/serviceaccount", "by https alone"),
        ("", "not told"),
    ],
)
def test_an_address_of_ones_own_rooms_is_not_even_asked(run: Run, url: str, why: str) -> None:
    calls: list[object] = []
    silent = replace(run, listeners=(calls.append,))
    found = find(Session(silent), Told(url, frozenset({"one"})))
    assert found.status is Status.FAIL
    assert why in found.detail
    assert "--service-account-issuer" in found.fix
    assert calls == []


def test_a_key_that_is_not_published_is_named(run: Run, issuer: Issuer) -> None:
    found = find(Session(run), replace(told(issuer), keys=frozenset({"one", "two"})))
    assert found.status is Status.FAIL
    assert "lacks the keys two" in found.detail


def test_what_is_published_must_be_of_the_same_issuer(run: Run, issuer: Issuer) -> None:
    found = find(Session(run), replace(told(issuer), url=issuer.url + "/"))
    assert found.status is Status.FAIL
    assert f"tells of the issuer {issuer.url}" in found.detail


def test_an_address_that_answers_otherwise_says_how(
    run: Run, authority: Authority, signing_key: rsa.RSAPrivateKey
) -> None:
    published = PublishedIssuer(authority)
    published.start({})
    try:
        elsewhere = Told(f"{published.url}/cluster", frozenset())
        assert "answers 404" in find(Session(run), elsewhere).detail
    finally:
        published.stop()


def test_the_check_asks_the_cluster_when_it_is_run(run: Run, issuer: Issuer) -> None:
    bound = public_issuer(Session(run), lambda: told(issuer))
    assert bound.check is declared.ISSUER_NOT_PUBLIC
    assert bound.check.error is codes.ISSUER_NOT_PUBLIC
    assert bound.run().detail == issuer.url


def test_nobody_at_the_address_is_a_failure_of_the_check(run: Run) -> None:
    found = find(Session(run, patience=0), Told("https://127.0.0.1:1", frozenset()))
    assert found.status is Status.FAIL


def test_what_does_not_answer_is_told_by_its_own_code(run: Run) -> None:
    with pytest.raises(errors.CliError) as caught:
        Session(run, patience=0).get("keys", "https://127.0.0.1:1")
    assert caught.value.code is codes.FEDERATION_UNREACHABLE
