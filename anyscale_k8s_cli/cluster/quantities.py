"""Amounts as Kubernetes writes them.

The `kubernetes` package can read them too, but takes half a second to import; a
test compares the two.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(1000),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", start=2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


_SIZES = tuple((f"{unit}i", Decimal(1024) ** power) for power, unit in enumerate("KMGT", start=1))


def written(name: str, value: Decimal) -> str:
    """The amount of a resource, as people write it; rounded up to what can be written."""
    if name.rpartition(".")[2] in ("memory", "ephemeral-storage", "storage"):
        for suffix, size in reversed(_SIZES):
            if value and not value % size:
                return f"{int(value / size)}{suffix}"
    if value != value.to_integral_value():
        return f"{int((value * 1000).to_integral_value(ROUND_CEILING))}m"
    return str(int(value))


def amount(written: Any) -> Decimal:
    """`500m`, `2Gi`, `1e3` or a plain number. Raises ValueError for anything else."""
    text = str(written)
    unit = text[-2:] if text.endswith("i") else text[-1:]
    factor = _FACTORS.get(unit)
    try:
        return Decimal(text) if factor is None else Decimal(text.removesuffix(unit)) * factor
    except InvalidOperation as problem:
        raise ValueError(f"not a quantity: {text!r}") from problem
