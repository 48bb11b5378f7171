"""Acting as a service account: the way that GKE's metadata server gives pods an identity.

https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token and
https://cloud.google.com/iam/docs/reference/credentials/rest
"""

from __future__ import annotations

from anyscale_k8s_cli.providers.gcs.sdk.session import SCOPES, Session

EXCHANGE = "sts.token"
ACCESS_TOKEN = "iam.serviceAccounts.getAccessToken"  # noqa: S105 - the name of a permission
ID_TOKEN = "iam.serviceAccounts.getOpenIdToken"  # noqa: S105


class Credentials:
    def __init__(self, session: Session) -> None:
        self._session = session

    def exchange(self, token: str, pool: str, issuer: str) -> str:
        """A token that Google knows for a Kubernetes service account's."""
        answer = self._session.rest(
            EXCHANGE,
            "POST",
            "sts",
            "/v1/token",
            bearer="",
            body={
                "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
                "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
                "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
                "audience": f"identitynamespace:{pool}:{issuer}",
                "scope": SCOPES[0],
                "subjectToken": token,
            },
        )
        return str(answer["access_token"])

    def access_token(self, email: str, bearer: str) -> str:
        """An access token of the account, for whoever `bearer` is."""
        path = f"/v1/projects/-/serviceAccounts/{email}:generateAccessToken"
        body = {"scope": [SCOPES[0]], "lifetime": "600s"}
        answer = self._session.rest(
            ACCESS_TOKEN, "POST", "iamcredentials", path, body=body, bearer=bearer
        )
        return str(answer["accessToken"])

    def id_token(self, email: str, bearer: str, audience: str) -> str:
        """An ID token of the account, as the operator shows it to the control plane."""
        path = f"/v1/projects/-/serviceAccounts/{email}:generateIdToken"
        body = {"audience": audience, "includeEmail": True}
        answer = self._session.rest(
            ID_TOKEN, "POST", "iamcredentials", path, body=body, bearer=bearer
        )
        return str(answer["token"])
