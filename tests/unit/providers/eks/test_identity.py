"""One role has two names: that of itself, and that of a session of it."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.providers.eks.identity import assumed

ROLE = "arn:aws-us-gov:iam::111122223333:role/anyscale-k8s/prod/operator"
SESSION = "arn:aws-us-gov:sts::111122223333:assumed-role/operator/anyscale"


@pytest.mark.parametrize(
    ("held", "same"),
    [
        (SESSION, True),
        (ROLE, True),
        (SESSION.replace("/operator/", "/node/"), False),
        (SESSION.replace("111122223333", "444455556666"), False),
        (SESSION.replace("aws-us-gov", "aws"), False),
        ("", False),
        ("somebody", False),
    ],
)
def test_a_session_is_told_to_be_of_a_role(held: str, same: bool) -> None:
    assert assumed(ROLE, held) is same
