"""Amounts are read as the package of Kubernetes' makers reads them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from kubernetes.utils import quantity

from anyscale_k8s_cli.cluster.quantities import amount

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


@pytest.mark.parametrize("written", WRITTEN)
def test_the_same_as_the_package_reads(written: Any) -> None:
    assert amount(written) == quantity.parse_quantity(written)


def test_an_exponent() -> None:
    assert amount("12e6") == Decimal(12_000_000)


@pytest.mark.parametrize("written", ["", "many", "1Xi", "ki", "1 Gi x", None])
def test_what_is_none(written: Any) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        amount(written)
