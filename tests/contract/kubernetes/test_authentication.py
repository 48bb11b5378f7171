"""Who is let in, as whom, and to do what."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from kubernetes import client
from urllib3.exceptions import MaxRetryError

from anyscale_k8s_cli.sandbox.tls import Authority

Refused = Callable[[Callable[[], Any]], tuple[int, str]]
Eventually = Callable[[Callable[[], Any]], Any]


def account_token(core: client.CoreV1Api, **spec: Any) -> str:
    core.create_namespaced_service_account("default", {"metadata": {"name": "bot"}})
    answer = core.create_namespaced_service_account_token(
        "bot", "default", {"spec": {"audiences": [], **spec}}
    )
    return str(answer.status.token)


def test_nobody_and_strangers_are_turned_away(cluster: Any, refused: Refused) -> None:
    for token in ("", "wrong", "a.b.c"):
        pods = client.CoreV1Api(cluster.api(token))
        assert refused(lambda pods=pods: pods.list_node()) == (401, "Unauthorized")


def test_a_certificate_speaks_for_its_bearer(cluster: Any, refused: Refused) -> None:
    def api(authority: Authority, name: str, group: str) -> client.CoreV1Api:
        made = cluster.api("")
        files = [cluster.folder / f"{name}.{kind}" for kind in ("crt", "key")]
        for path, content in zip(files, authority.client_certificate(name, group), strict=True):
            path.write_bytes(content)
        made.configuration.cert_file, made.configuration.key_file = map(str, files)
        return client.CoreV1Api(client.ApiClient(made.configuration))

    admin = api(cluster.authority, "masterclient", "system:masters")
    assert len(admin.list_node().items) == 2
    jane = api(cluster.authority, "jane", "developers")
    code, message = refused(jane.list_node)
    assert (code, 'User "jane"' in message) == (403, True)
    with pytest.raises(MaxRetryError):
        api(Authority(), "forger", "system:masters").list_node()


def test_a_user_without_rights_is_forbidden(cluster: Any, refused: Refused) -> None:
    joe = client.CoreV1Api(cluster.api("joes-token"))
    assert refused(joe.list_node) == (
        403,
        'nodes is forbidden: User "joe" cannot list resource "nodes" in API group "" at the '
        "cluster scope",
    )


def test_a_service_account_acts_as_itself(
    cluster: Any, core: client.CoreV1Api, refused: Refused
) -> None:
    bot = client.CoreV1Api(cluster.api(account_token(core)))
    code, message = refused(lambda: bot.list_namespaced_pod("default"))
    assert code == 403
    assert 'User "system:serviceaccount:default:bot" cannot list resource "pods"' in message
    who = client.AuthenticationV1Api(bot.api_client).create_self_subject_review({})
    assert "system:serviceaccounts:default" in who.status.user_info.groups


def test_a_token_dies_with_its_account(
    cluster: Any, core: client.CoreV1Api, refused: Refused
) -> None:
    token = account_token(core)
    core.delete_namespaced_service_account("bot", "default")
    assert refused(client.CoreV1Api(cluster.api(token)).list_node)[0] == 401


def test_a_token_for_others_does_not_open_the_api(
    cluster: Any, core: client.CoreV1Api, refused: Refused
) -> None:
    token = account_token(core, audiences=["sts.amazonaws.com"])
    assert refused(client.CoreV1Api(cluster.api(token)).list_node)[0] == 401
    key_set = jwt.PyJWKSet.from_dict(cluster.standin.issuer_keys())
    claims = jwt.decode(
        token,
        key_set[jwt.get_unverified_header(token)["kid"]].key,
        algorithms=["RS256"],
        audience="sts.amazonaws.com",
        issuer="https://issuer.test",
    )
    assert claims["sub"] == "system:serviceaccount:default:bot"


def test_the_issuers_keys_are_public(cluster: Any) -> None:
    context = ssl.create_default_context(cadata=cluster.standin.ca_pem.decode())
    with httpx.Client(base_url=cluster.standin.url, verify=context) as anybody:
        assert anybody.get("/openid/v1/jwks").json() == cluster.standin.issuer_keys()
        found = anybody.get("/.well-known/openid-configuration").json()
        assert found["issuer"] == "https://issuer.test"
        assert anybody.get("/version").json()["minor"] == "33"
        assert anybody.get("/readyz").text == "ok"
        assert anybody.get("/api").status_code == 401


def test_reviews_tell_the_same_as_the_server_does(cluster: Any, core: client.CoreV1Api) -> None:
    def allowed(token: str) -> bool:
        review = {"spec": {"resourceAttributes": {"verb": "list", "resource": "nodes"}}}
        api = client.AuthorizationV1Api(cluster.api(token))
        return bool(api.create_self_subject_access_review(review).status.allowed)

    assert (allowed("the-admins-token"), allowed("joes-token")) == (True, False)
    reviews = client.AuthenticationV1Api(cluster.api())
    token = account_token(core)
    good = reviews.create_token_review({"spec": {"token": token}})
    assert good.status.user.username == "system:serviceaccount:default:bot"
    assert not reviews.create_token_review({"spec": {"token": "x"}}).status.authenticated
    assert token not in json.dumps([call.as_json() for call in cluster.wire.calls()])


def test_reviews_and_token_requests_are_no_writes(cluster: Any, core: client.CoreV1Api) -> None:
    account_token(core)
    review = {"spec": {"resourceAttributes": {"verb": "list", "resource": "nodes"}}}
    client.AuthorizationV1Api(cluster.api()).create_self_subject_access_review(review)
    writes = [call.operation.resource for call in cluster.wire.calls(writes_only=True)]
    assert writes == ["serviceaccounts/default/bot"]


def test_an_admin_may_act_as_another(cluster: Any, refused: Refused) -> None:
    api = cluster.api()
    api.set_default_header("Impersonate-User", "joe")
    assert 'User "joe" cannot list' in refused(client.CoreV1Api(api).list_node)[1]
    api = cluster.api("joes-token")
    api.set_default_header("Impersonate-User", "admin")
    assert 'cannot impersonate resource "users"' in refused(client.CoreV1Api(api).list_node)[1]
