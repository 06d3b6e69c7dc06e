"""What an app's import left behind that forked workers cannot share, as a worker reports it (docs/preloading.md).

Pure: what is new since the last report, what the operator knows, and what the next spawner has to know of it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Optional, Sequence

_MOST = 51  # warnings of one report
_LONGEST_NAME = 200  # characters
_LONGEST_TEXT = 2000
_STORED_SIZE = 8_000  # bytes of warnings that a record holds
_ROOM_FOR_MORE = 100  # bytes for the line that counts the others


@dataclass(frozen=True)
class ImportWarning:
    """One finding.

    :ivar name: without blanks, the same with each import: PassengerKnownImportWarnings has such names.
    :ivar text: for people.
    """

    name: str
    text: str

    @classmethod
    def parse(cls, value: str) -> "ImportWarning":
        """One of a `ready` message or of a record: the name, a blank, the text."""
        name, _, text = value.partition(" ")
        return cls(name[:_LONGEST_NAME], text[:_LONGEST_TEXT])

    def to_text(self) -> str:
        """What `parse` reads; also what `status` shows."""
        return "%s %s" % (self.name, self.text)

    def is_known(self, known: Optional[str]) -> bool:
        """Whether the operator has said so.

        :param known: the value of PassengerKnownImportWarnings: names, separated by blanks. `*`: any characters.
        """
        patterns = (".*".join(re.escape(part) for part in word.split("*")) for word in (known or "").split())
        return any(re.fullmatch(pattern, self.name) for pattern in patterns)

    def digest(self) -> str:
        """Short, for the record of what was said."""
        return hashlib.blake2b(self.to_text().encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


@dataclass(frozen=True)
class ImportWarnings:
    """What the last report of an app group said. A new report makes a new one.

    :ivar found: all of it.
    :ivar said: the digests of what the log has. What is not found any more is not in it: if it comes back, it is new.
    :ivar awaited_generation: whose worker reports next, 0: no report is expected. The first worker after each load
        reports for all of them.
    """

    found: tuple[ImportWarning, ...] = ()
    said: frozenset[str] = frozenset()
    awaited_generation: int = 0

    def loaded(self, generation: int) -> "ImportWarnings":
        """A preloader of a generation has loaded the app: its first worker will report."""
        return ImportWarnings(self.found, self.said, generation)

    def reported(self, values: Sequence[str], known: Optional[str]) -> tuple["ImportWarnings", list[ImportWarning]]:
        """A worker has reported. Returns what follows, and what is to be said now.

        :param known: see `ImportWarning.is_known`; what is known is not said.
        """
        found = tuple(dict.fromkeys(ImportWarning.parse(value) for value in values[:_MOST]))
        unknown = [warning for warning in found if not warning.is_known(known)]
        said = frozenset(warning.digest() for warning in unknown)
        return ImportWarnings(found, said), [warning for warning in unknown if warning.digest() not in self.said]

    def shown(self, known: Optional[str]) -> tuple[list[str], list[str]]:
        """For `status`: what the operator has not said to know, and what they know."""
        texts: tuple[list[str], list[str]] = ([], [])
        for warning in self.found:
            texts[warning.is_known(known)].append(warning.to_text())
        return texts

    # The record of a group

    def to_fields(self) -> list[tuple[str, str]]:
        """As many warnings, from the first on, as a record has room for, and the digests of all that were said."""
        texts, size = [], 0
        for warning in self.found:
            text = warning.to_text()
            size += len(text.encode("utf-8", "surrogateescape"))
            if size > _STORED_SIZE - _ROOM_FOR_MORE:
                break
            texts.append(text)
        left = len(self.found) - len(texts)
        if left:
            texts.append("more More warnings of this import stand in the log: %d" % left)
        fields = [("warning", text) for text in texts]
        if self.said:
            fields.append(("warnings_said", " ".join(sorted(self.said))))
        if self.awaited_generation:
            fields.append(("warnings_awaited", str(self.awaited_generation)))
        return fields

    @classmethod
    def from_fields(cls, fields: Sequence[tuple[str, str]]) -> "ImportWarnings":
        """What `to_fields` has written.

        :raises ValueError: a field has a wrong value.
        """
        named = dict(fields)
        found = tuple(ImportWarning.parse(value) for name, value in fields if name == "warning")
        said = frozenset(named.get("warnings_said", "").split())
        return cls(found, said, int(named.get("warnings_awaited") or 0))
