"""What is in a bucket, counted: what this tool itself has left is told apart."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.controlplane.proof import FILE_NAME
from anyscale_k8s_cli.object_storage import PARTS_KEY, PROOF_KEY, Tally

OWN = (PROOF_KEY, PARTS_KEY, f"org_1/cld_1/{FILE_NAME}")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ((), "0 object versions, 0 Bytes"),
        (OWN, "nothing but this tool's own proofs: 3 object versions, 6 Bytes"),
        (("logs/a", "not-anyscale-k8s-cli"), "2 object versions, 4 Bytes"),
        (
            (*OWN, "logs/a"),
            "4 object versions, 8 Bytes, 3 of them this tool's own proofs",
        ),
    ],
)
def test_proofs_are_not_taken_for_data(keys: tuple[str, ...], told: str) -> None:
    tally = Tally()
    for key in keys:
        tally.add(key, 2)
    assert str(tally) == told
