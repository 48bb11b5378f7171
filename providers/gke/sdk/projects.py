"""The project: its number, what the caller may do in it, which APIs are on."""

from __future__ import annotations

from collections.abc import Sequence

from google.cloud import resourcemanager_v3

from anyscale_k8s_cli.providers.gcs.sdk.policy import Policy
from anyscale_k8s_cli.providers.gcs.sdk.session import TIMEOUT, Session

# What testIamPermissions takes at once.
_BATCH = 100


class Projects:
    def __init__(self, session: Session) -> None:
        self._session = session

    def number(self) -> str:
        """The number by which other APIs call the project."""
        found = self._session.ask(
            "resourcemanager.projects.get",
            lambda: self._client.get_project(name=self._name, timeout=TIMEOUT[1], retry=None),
        )
        return str(found.name).rpartition("/")[2]

    def policy(self, project: str = "") -> Policy:
        """Who has which role in the project, or in another: it holds for all that is in it."""
        name = f"projects/{project}" if project else self._name
        found = self._session.ask(
            "resourcemanager.projects.getIamPolicy",
            lambda: self._client.get_iam_policy(
                {"resource": name, "options": {"requested_policy_version": 3}},
                timeout=TIMEOUT[1],
                retry=None,
            ),
        )
        return Policy(
            tuple(
                {
                    "role": binding.role,
                    "members": list(binding.members),
                    **({"condition": True} if binding.condition.expression else {}),
                }
                for binding in found.bindings
            )
        )

    def held(self, permissions: Sequence[str]) -> set[str]:
        """Those of the permissions that the caller has in the project."""
        found: set[str] = set()
        for start in range(0, len(permissions), _BATCH):
            batch = list(permissions[start : start + _BATCH])
            answer = self._session.ask(
                "resourcemanager.projects.testIamPermissions",
                lambda batch=batch: self._client.test_iam_permissions(  # type: ignore[misc]
                    resource=self._name, permissions=batch, timeout=TIMEOUT[1], retry=None
                ),
            )
            found |= set(answer.permissions)
        return found

    def enabled(self, services: Sequence[str]) -> dict[str, bool]:
        """Which APIs, by their short names (`storage`), are enabled."""
        suffix = "." + self._session.universe
        path = f"/v1/projects/{self._session.project}/services:batchGet"
        names = [
            f"projects/{self._session.project}/services/{service}{suffix}" for service in services
        ]
        answer = self._session.rest(
            "serviceusage.services.get", "GET", "serviceusage", path, query={"names": names}
        )
        return {
            str(item["name"]).rpartition("/")[2].removesuffix(suffix): item.get("state")
            == "ENABLED"
            for item in answer.get("services", [])
        }

    @property
    def _name(self) -> str:
        return f"projects/{self._session.project}"

    @property
    def _client(self) -> resourcemanager_v3.ProjectsClient:
        session = self._session
        return session.client(
            "resourcemanager",
            lambda: resourcemanager_v3.ProjectsClient(
                credentials=session.credentials,
                transport="rest",
                client_options=session.options("cloudresourcemanager"),
            ),
        )
