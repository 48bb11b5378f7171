"""Amounts as Kubernetes writes them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any


def amount(text: Any) -> Decimal:
    """`500m`, `2Gi` or a plain number. Raises ValueError for anything else."""
    # The package is slow to import, and most of it is not needed here.
    from kubernetes.utils import quantity

    parse: Callable[[Any], Decimal] = quantity.parse_quantity  # it has no types
    return parse(text)
