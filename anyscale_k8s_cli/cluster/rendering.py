"""How what a release consists of would become another: its values and rendered manifests
compared.

Nobody's secrets are in it: not what is in a Secret, not what a user's own values say but
which images they are for, and no password in an address.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from anyscale_k8s_cli.cluster.comparing import HIDDEN
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.parts import PartChange
from anyscale_k8s_cli.resource import FieldChange

_IN_SECRETS = ("data", "stringData")
# From this length on a text is looked for inside of others.
_TELLING = 8
_CONTEXT = 3
# What something is called (a variable, a volume), and what is to run, is no secret.
_OPEN = frozenset({"name", "image", "repository", "registry", "tag"})
_IMAGES = _OPEN - {"name"}
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def part_changes(
    old: Sequence[Document],
    new: Sequence[Document],
    place: Callable[[Document], Reference],
    secret: Secrecy,
) -> tuple[PartChange, ...]:
    """What of each object becomes another; objects that stay the same are left out."""
    before = {place(item): item for item in old}
    after = {place(item): item for item in new}
    found = []
    for reference in sorted({*before, *after}, key=_order):
        one, other = secret.hidden(before.get(reference), after.get(reference))
        if one != other:
            change = "update" if one and other else "create" if other else "delete"
            found.append(
                PartChange(
                    reference.kind, reference.name, reference.namespace, change, _diff(one, other)
                )
            )
    return tuple(found)


def changed_values(
    found: Mapping[str, Any],
    wanted: Mapping[str, Any],
    secrecy: Secrecy,
    above: tuple[str, ...] = (),
) -> list[FieldChange]:
    """Which values differ, by dotted key, and what they are where that is no secret."""
    changes = []
    for key in sorted({*found, *wanted}):
        old, new, path = found.get(key), wanted.get(key), (*above, key)
        if (None if old == {} else old) == (None if new == {} else new):
            continue
        sides = [item for item in (old, new) if item is not None]
        # What comes or goes as a whole is told as such, unless it is for one value in it.
        whole = len(sides) == 1 and not _is_way(sides[0], secrecy.of_users(path))
        if all(isinstance(item, Mapping) for item in sides) and not whole:
            changes += changed_values(old or {}, new or {}, secrecy, path)
        else:
            changes.append(FieldChange(f"values.{'.'.join(path)}", *secrecy.values(path, old, new)))
    return changes


def _is_way(value: Any, users: Any) -> bool:
    return isinstance(value, Mapping) and (len(value) == 1 or isinstance(users, Mapping))


@dataclass(frozen=True)
class Secrecy:
    """The texts that are nobody else's business, on either side of a comparison.

    `private`, `shown` and `closed` are as they were given to `of`.
    """

    old: frozenset[str]
    new: frozenset[str]
    private: Mapping[str, Any] = field(default_factory=dict)
    shown: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        private: Mapping[str, Any],
        shown: frozenset[str] = frozenset(),
        closed: frozenset[str] = frozenset(),
    ) -> Secrecy:
        """Of two sets of values: all texts but those that this tool gives now.

        `private` is what of the new ones the user wrote. What of the old ones they wrote
        nobody has recorded, so whatever stands where nothing of ours does counts as theirs,
        but for what is at or below the dotted keys in `shown`. Those in `closed` hold secrets
        that this tool gives.
        """
        theirs = {text for path, text in _texts(private) if path[-1] not in _OPEN}
        theirs |= {text for path, text in (*_texts(old), *_texts(new)) if _below(path, closed)}
        ours = {path: text for path, text in _texts(new) if text not in theirs}
        open_texts = set(ours.values())
        before = {
            text
            for path, text in _texts(old)
            if text not in open_texts
            and path[-1] not in _OPEN
            and not _stands_for(path, ours)
            and not _below(path, shown)
        }
        hidden = frozenset(before | theirs)
        return cls(hidden, hidden, private, shown, closed)

    def of_users(self, path: tuple[str, ...]) -> Any:
        """What the user wrote at this place of the values; None for nothing."""
        found: Any = self.private
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def values(self, path: tuple[str, ...], old: Any, new: Any) -> tuple[Any, Any]:
        """Two values of one place as they may be shown; of a secret, only whether it is set."""
        ours = new is not None or _below(path, self.shown)
        image = path[-1] in _IMAGES and all(isinstance(item, str | None) for item in (old, new))
        theirs = not image and (self.of_users(path) is not None or not ours)
        if theirs or _below(path, self.closed):
            return _presence(old), _presence(new, "set otherwise" if old is not None else "set")
        return self._shown(old, new)

    def hidden(
        self, old: Document | None, new: Document | None
    ) -> tuple[Document | None, Document | None]:
        """Both documents as they may be shown: what differs stays different."""
        one, other = old, new
        if "Secret" in {(item or {}).get("kind") for item in (old, new)}:
            one, other = _closed(old, new), _closed(new, old, "another")
        return self._shown(one, other)

    def _shown(self, one: Any, other: Any) -> tuple[Any, Any]:
        in_both = set(_all_texts(one)) & set(_all_texts(other))
        return (
            _masked(one, self._mask(self.old, in_both, "")),
            _masked(other, self._mask(self.new, in_both, "another")),
        )

    @staticmethod
    def _mask(texts: Collection[str], in_both: Collection[str], word: str) -> Callable[[str], str]:
        inside = sorted((text for text in texts if len(text) >= _TELLING), key=len, reverse=True)

        def mask(text: str) -> str:
            said = HIDDEN if text in in_both else _hidden(word)
            if text in texts:
                return said
            for part in inside:
                text = text.replace(part, said)
            return _PASSWORD.sub(said, text)

        return mask


def _presence(value: Any, present: str = "set") -> str:
    return "not set" if value is None else present


def _below(path: Sequence[Any], places: Collection[str]) -> bool:
    """Whether it is one of these places, or in one."""
    return any(".".join(map(str, path[:end])) in places for end in range(1, len(path) + 1))


def _closed(secret: Document | None, other: Document | None, word: str = "") -> Document | None:
    """A Secret with its keys alone; `word` for what is not the same in the other one."""
    if secret is None:
        return None
    return {
        key: {
            name: HIDDEN if (other or {}).get(key, {}).get(name) == value else _hidden(word)
            for name, value in (part or {}).items()
        }
        if key in _IN_SECRETS
        else part
        for key, part in secret.items()
    }


def _hidden(word: str) -> str:
    return f"{HIDDEN[:-1]}, {word})" if word else HIDDEN


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(item, mask) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, mask) for item in value]
    return mask(value) if isinstance(value, str) else value


def _all_texts(document: Any) -> Iterator[str]:
    return (text for _, text in _texts(document))


def _texts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text in a document but its keys, with where it stands."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))
    elif isinstance(value, str) and value:
        yield path, value


def _stands_for(path: tuple[Any, ...], ours: Mapping[tuple[Any, ...], str]) -> bool:
    """Whether something of ours stands there now; places in lists tell nothing."""
    return path in ours and not any(isinstance(key, int) for key in path)


def _order(reference: Reference) -> tuple[str, str, str]:
    return reference.kind, reference.namespace or "", reference.name


def _diff(old: Document | None, new: Document | None) -> str:
    lines = difflib.unified_diff(_lines(old), _lines(new), n=_CONTEXT, lineterm="")
    # The first two name files, of which there are none.
    return "\n".join(list(lines)[2:])


def _lines(document: Document | None) -> list[str]:
    if document is None:
        return []
    text: str = yaml.dump(document, Dumper=_Dumper, allow_unicode=True, width=4096)
    return text.splitlines()


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as they are, so that their lines can be compared."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text.strip() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
