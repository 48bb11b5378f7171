"""Commands that are run once, in order, in one sandbox; tests look at what each of them left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from anyscale_k8s_cli.addons.purposes import PURPOSES, WITHOUT_IDENTITY
from anyscale_k8s_cli.operations.purposes import declared_by
from anyscale_k8s_cli.purpose import purpose_of
from tests.by_hand import ByHand
from tests.processes import Ended, Sandbox


@dataclass(frozen=True)
class Page:
    """One command: how it ended, what it wrote anywhere, and what there was after it."""

    command: str
    form: str
    ended: Ended
    writes: list[str]
    seen: dict[str, Any] = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        if self.form == "yaml":
            return dict(yaml.safe_load(self.ended.out))
        return self.ended.document

    @property
    def done(self) -> dict[str, Any]:
        """The document of a command that succeeded."""
        assert self.ended.code == 0, self.ended.err
        return self.document

    @property
    def changes(self) -> dict[str, str]:
        """What a plan wanted with each object, by key; there is a text for each."""
        found = {item["key"]: item["change"] for item in self.document["resources"]}
        known = declared_by(self.document["provider"])
        if known:  # not those of other people's
            texts = (*known, *PURPOSES, *WITHOUT_IDENTITY)
            assert [key for key in found if purpose_of(key, texts) is None] == []
        return found


class Story:
    """The pages by name, what there was before the first, and somebody to do things by hand."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.hand = ByHand(sandbox.environment)
        # Where the commands run.
        self.folder = sandbox.record.directory
        self.beginning = sandbox.admin.snapshot()
        self.pages: dict[str, Page] = {}
        # When and what a cloud's operator reported while a command ran on another one.
        self.verdicts: list[tuple[str, str]] = []

    def __getitem__(self, name: str) -> Page:
        return self.pages[name]

    def tell(self, name: str, *arguments: str, form: str = "json", **more: Any) -> Page:
        """Run `cloud …` and keep what came of it."""
        mark = self.sandbox.admin.last_call()
        ended = self.sandbox.anyscale("cloud", *arguments, "-o", form, **more)
        writes, seen = self._writes(mark), self.sandbox.admin.snapshot()
        self.pages[name] = Page(arguments[0], form, ended, writes, seen)
        return self.pages[name]

    def _writes(self, mark: int) -> list[str]:
        """What was written since a call, without what programs in the cluster do by themselves."""
        calls = self.sandbox.admin.calls(after=mark, writes_only=True)
        return [
            f"{call['name']} {call['resource']}"
            for call in (item["operation"] for item in calls)
            if not call["principal"].startswith("system:")
            and call["principal"] != "operator"
            and "/anyscale-operator-check/" not in call["resource"]
        ]
