"""Identity: compartments, regions, users, groups, memberships, policies, secret keys.

Changes are made in the home region alone. https://docs.oracle.com/iaas/api/#/en/identity
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.oci.api import GONE, Answer, Call, Route, page
from anyscale_k8s_cli.sandbox.oci.policies import Need
from anyscale_k8s_cli.sandbox.oci.refusals import invalid, not_there
from anyscale_k8s_cli.sandbox.oci.seed import COMPARTMENTS, REGIONS, TENANCY_ID
from anyscale_k8s_cli.sandbox.oci.tenancy import Item, Tenancy

BASE = "/20160918"
_MOST_TAGS, _LONGEST_KEY, _LONGEST_VALUE = 10, 100, 256


@dataclass(frozen=True)
class Identity:
    tenancy: Tenancy

    def routes(self) -> list[Route]:
        user, group, policy = (_Kind(self.tenancy, kind) for kind in ("user", "group", "policy"))
        return [
            Route("ListCompartments", "GET", f"{BASE}/compartments", self._compartments),
            Route("GetCompartment", "GET", f"{BASE}/compartments/{{id}}", self._compartment),
            Route(
                "ListRegionSubscriptions",
                "GET",
                f"{BASE}/tenancies/{{id}}/regionSubscriptions",
                self._regions,
            ),
            *user.routes("users", "User"),
            *group.routes("groups", "Group"),
            *policy.routes("policies", "Policy"),
            Route("ListUserGroupMemberships", "GET", f"{BASE}/userGroupMemberships", self._members),
            Route(
                "AddUserToGroup",
                "POST",
                f"{BASE}/userGroupMemberships",
                self._join,
                home_only=True,
            ),
            Route(
                "RemoveUserFromGroup",
                "DELETE",
                f"{BASE}/userGroupMemberships/{{id}}",
                self._leave,
                home_only=True,
            ),
            Route(
                "ListCustomerSecretKeys",
                "GET",
                f"{BASE}/users/{{user}}/customerSecretKeys",
                self._keys,
            ),
            Route(
                "CreateCustomerSecretKey",
                "POST",
                f"{BASE}/users/{{user}}/customerSecretKeys",
                self._issue,
                home_only=True,
            ),
            Route(
                "DeleteCustomerSecretKey",
                "DELETE",
                f"{BASE}/users/{{user}}/customerSecretKeys/{{id}}",
                self._revoke,
                home_only=True,
            ),
        ]

    def _check(self, call: Call, verb: str, resource: str) -> None:
        self.tenancy.check(call.caller, Need(verb, resource, TENANCY_ID))

    # -- where ---------------------------------------------------------------------

    def _compartments(self, call: Call) -> Answer:
        self._check(call, "inspect", "compartments")
        if call.asked("compartmentId") != TENANCY_ID:
            return Answer([])
        wanted = call.query.get("name")
        found = [self._shown(i) for i, name in COMPARTMENTS.items() if wanted in (None, name)]
        return page(found, call.query)

    def _compartment(self, call: Call) -> Answer:
        self._check(call, "inspect", "compartments")
        if call.path["id"] not in COMPARTMENTS:
            raise not_there()
        return Answer(self._shown(call.path["id"]))

    def _shown(self, compartment: str) -> dict[str, Any]:
        return {
            "id": compartment,
            "compartmentId": TENANCY_ID,
            "name": COMPARTMENTS[compartment],
            "description": COMPARTMENTS[compartment],
            "lifecycleState": "ACTIVE",
            "timeCreated": self.tenancy.clock().isoformat(),
        }

    def _regions(self, call: Call) -> Answer:
        self._check(call, "inspect", "tenancies")
        if call.path["id"] != TENANCY_ID:
            raise not_there()
        return Answer(
            [
                {
                    "regionName": name,
                    "regionKey": key,
                    "status": "READY",
                    "isHomeRegion": name == self.tenancy.home,
                }
                for name, key in REGIONS.items()
            ]
        )

    # -- members ---------------------------------------------------------------------

    def _members(self, call: Call) -> Answer:
        self._check(call, "inspect", "groups")
        user, group = call.query.get("userId"), call.query.get("groupId")
        if not user and not group:
            raise invalid("userId or groupId must be given")
        found = [
            _membership(made, *pair)
            for made, pair in self.tenancy.members.items()
            if user in (None, pair[0]) and group in (None, pair[1])
        ]
        return page(found, call.query)

    def _join(self, call: Call) -> Answer:
        self._check(call, "use", "groups")
        self._check(call, "use", "users")
        call.said("userId", "groupId")
        user, group = str(call.body["userId"]), str(call.body["groupId"])
        return Answer(_membership(self.tenancy.join(user, group), user, group))

    def _leave(self, call: Call) -> Answer:
        self._check(call, "use", "groups")
        self._check(call, "use", "users")
        if self.tenancy.members.pop(call.path["id"], None) is None:
            raise not_there()
        return GONE

    # -- keys ------------------------------------------------------------------------

    def _check_keys(self, call: Call, verb: str) -> None:
        """One's own keys are everybody's to see to."""
        if call.caller != call.path["user"]:
            self._check(call, verb, "users")
        self.tenancy.find("user", call.path["user"])

    def _keys(self, call: Call) -> Answer:
        self._check_keys(call, "read")
        keys = self.tenancy.keys.values()
        return Answer([key.as_json() for key in keys if key.user == call.path["user"]])

    def _issue(self, call: Call) -> Answer:
        self._check_keys(call, "manage")
        call.said("displayName")
        made = self.tenancy.issue(call.path["user"], str(call.body["displayName"]))
        return Answer({**made.as_json(), "key": made.secret})

    def _revoke(self, call: Call) -> Answer:
        self._check_keys(call, "manage")
        found = self.tenancy.keys.get(call.path["id"])
        if found is None or found.user != call.path["user"]:
            raise not_there()
        del self.tenancy.keys[found.id]
        return GONE


@dataclass(frozen=True)
class _Kind:
    """What users, groups and policies have in common."""

    tenancy: Tenancy
    kind: str

    @property
    def _resource(self) -> str:
        return "policies" if self.kind == "policy" else f"{self.kind}s"

    def routes(self, path: str, word: str) -> list[Route]:
        every, one = f"{BASE}/{path}", f"{BASE}/{path}/{{id}}"
        return [
            Route(
                f"List{word[:-1]}ies" if word == "Policy" else f"List{word}s",
                "GET",
                every,
                self._list,
            ),
            Route(f"Create{word}", "POST", every, self._create, home_only=True),
            Route(f"Get{word}", "GET", one, self._get),
            Route(f"Update{word}", "PUT", one, self._update, home_only=True),
            Route(f"Delete{word}", "DELETE", one, self._delete, home_only=True),
        ]

    def _check(self, call: Call, verb: str, place: str) -> None:
        self.tenancy.check(call.caller, Need(verb, self._resource, place))

    def _list(self, call: Call) -> Answer:
        place, name = call.asked("compartmentId"), call.query.get("name")
        self._check(call, "inspect", place)
        found = [
            item.as_json()
            for item in self._items.values()
            if item.compartment == place and name in (None, item.name)
        ]
        return page(found, call.query)

    def _create(self, call: Call) -> Answer:
        call.said("compartmentId", "name", "description")
        place = str(call.body["compartmentId"])
        if self.kind != "policy" and place != TENANCY_ID:
            raise invalid("compartmentId must be that of the tenancy")
        self._check(call, "manage", place)
        check_tags(call.body.get("freeformTags"))
        more: dict[str, Any] = {}
        if self.kind == "policy":
            call.said("statements")
            self.tenancy.parse(list(call.body["statements"]))
            more = {"statements": list(call.body["statements"])}
        made = self.tenancy.add(
            self.kind,
            str(call.body["name"]),
            str(call.body["description"]),
            call.body.get("freeformTags"),
            place,
            **more,
        )
        return Answer(made.as_json(), headers={"etag": made.etag})

    def _get(self, call: Call) -> Answer:
        found = self._found(call, "inspect")
        return Answer(found.as_json(), headers={"etag": found.etag})

    def _update(self, call: Call) -> Answer:
        found = self._found(call, "manage" if self.kind == "policy" else "use")
        check_tags(call.body.get("freeformTags"))
        if statements := call.body.get("statements"):
            self.tenancy.parse(list(statements))
        self.tenancy.change(found, call.body, call.headers.get("if-match", ""))
        return Answer(found.as_json(), headers={"etag": found.etag})

    def _delete(self, call: Call) -> Answer:
        found = self._found(call, "manage")
        call.guard(found.etag)
        if self.kind == "user":
            self.tenancy.remove_user(found.id)
        elif self.kind == "group":
            self.tenancy.remove_group(found.id)
        else:
            del self.tenancy.policies[found.id]
        return GONE

    def _found(self, call: Call, verb: str) -> Item:
        found = self.tenancy.find(self.kind, call.path["id"])
        self._check(call, verb, found.compartment)
        return found

    @property
    def _items(self) -> dict[str, Item]:
        return {
            "user": self.tenancy.users,
            "group": self.tenancy.groups,
            "policy": self.tenancy.policies,
        }[self.kind]


def check_tags(tags: Any) -> None:
    """https://docs.oracle.com/iaas/Content/Tagging/Concepts/taggingoverview.htm"""
    found = tags or {}
    if len(found) > _MOST_TAGS:
        raise invalid(f"A resource has at most {_MOST_TAGS} free-form tags")
    if any(len(k) > _LONGEST_KEY or len(str(v)) > _LONGEST_VALUE for k, v in found.items()):
        raise invalid("A free-form tag is too long")


def _membership(made: str, user: str, group: str) -> dict[str, Any]:
    return {
        "id": made,
        "compartmentId": TENANCY_ID,
        "userId": user,
        "groupId": group,
        "lifecycleState": "ACTIVE",
    }
