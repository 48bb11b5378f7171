"""Keeps the status of pod disruption budgets."""

from __future__ import annotations

from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.controllers.pod_sets import KindController
from anyscale_k8s_cli.sandbox.kubernetes.disruption import BUDGETS, status_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object


class BudgetController(KindController):
    resource = BUDGETS
    owns = frozenset({"pods"})

    def reconcile(self, budget: Object) -> None:
        self.store.set_status(BUDGETS, budget, status_of(self.store, budget), MANAGER)
