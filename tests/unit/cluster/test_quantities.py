"""Amounts are read as the package of Kubernetes' makers reads them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from kubernetes.utils import quantity

from anyscale_k8s_cli.cluster.quantities import amount, written

WRITTEN = (
    "0",
    "1",
    2,
    "0.5",
    "500m",
    "1k",
    "1.5M",
    "2G",
    "64Ki",
    "1.5Mi",
    "2Gi",
    "3Ti",
    "7u",
    "9n",
)


@pytest.mark.parametrize("text", WRITTEN)
def test_the_same_as_the_package_reads(text: Any) -> None:
    assert amount(text) == quantity.parse_quantity(text)


def test_an_exponent() -> None:
    assert amount("12e6") == Decimal(12_000_000)


@pytest.mark.parametrize("text", ["", "many", "1Xi", "ki", "1 Gi x", None])
def test_what_is_none(text: Any) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        amount(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requests.cpu", "1100m"),
        ("cpu", "3"),
        ("limits.memory", "2560Mi"),
        ("memory", "2Gi"),
        ("requests.storage", "1000"),
        ("pods", "4"),
    ],
)
def test_an_amount_is_written_as_people_write_it(name: str, text: str) -> None:
    assert written(name, amount(text)) == text
