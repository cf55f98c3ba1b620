"""What people send with a form, checked field by field."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LARGEST_ID = 2**63 - 1


class BadFormError(BadRequestError):
    """A field can't be used; the sentence names it and says what is allowed."""

    code = "bad-form"


class Upload(NamedTuple):
    """A file that was sent with a form."""

    name: str
    body: bytes


class Form:
    """The fields of a form, or of an address's query. Text comes stripped and without control characters."""

    def __init__(self, fields: Mapping[str, Sequence[str]], files: Mapping[str, Upload] | None = None) -> None:
        self._fields = fields
        self._files = files or {}

    def upload(self, name: str) -> Upload | None:
        """Return an uploaded file, or None if the field is empty."""
        upload = self._files.get(name)
        return upload if upload and upload.body else None

    def texts(self, name: str) -> list[str]:
        """Return every value of a field."""
        return [_UNSEEN.sub("", value).replace("\r\n", "\n").strip() for value in self._fields.get(name, ())]

    def text(self, name: str, *, most: int = 500) -> str:
        """Return a field's one value, or "".

        Raises:
            BadFormError: it is longer than `most` characters, or given twice.
        """
        values = self.texts(name)
        if len(values) > 1:
            raise BadFormError(f"The field {name!r} was sent {len(values)} times; it goes once.")
        if values and len(values[0]) > most:
            raise BadFormError(f"{name} has {len(values[0])} characters; {most} are possible.")
        return values[0] if values else ""

    def raw(self, name: str, *, most: int) -> str:
        """Return a field's one value as it was typed: a password may begin with a space."""
        values = self._fields.get(name, ())
        if len(values) > 1 or any(len(value) > most for value in values):
            raise BadFormError(f"{name} is given once, with {most} characters at the most.")
        return values[0] if values else ""

    def needed(self, name: str, *, most: int = 500) -> str:
        """Return a field's value; an empty one is refused."""
        value = self.text(name, most=most)
        if not value:
            raise BadFormError(f"{name} is empty; please fill it in.")
        return value

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return a field's value, which must be one of those allowed."""
        value = self.text(name) or (default if default is not None else "")
        if value not in allowed:
            raise BadFormError(f"{name} is {value[:80]!r}; it can be {' or '.join(filter(None, allowed))}.")
        return value

    def whole(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """Return a field's whole number."""
        value = self.text(name)
        if not value and default is not None:
            return default
        if not re.fullmatch(r"-?[0-9]{1,19}", value) or not least <= int(value) <= most:
            raise BadFormError(f"{name} is {value[:80]!r}; it must be a whole number from {least} to {most}.")
        return int(value)

    def ids(self, name: str, *, most: int = 500) -> list[int]:
        """Return the ids of a field that may be given many times, each once."""
        found = []
        for value in self.texts(name):
            if not re.fullmatch(r"[1-9][0-9]{0,18}", value) or int(value) > _LARGEST_ID:
                raise BadFormError(f"{name}: {value[:80]!r} is no id.")
            found.append(int(value))
        if len(found) > most:
            raise BadFormError(f"{len(found)} at once are too many; {most} are possible.")
        return list(dict.fromkeys(found))

    def moment(self, name: str, zone: tzinfo) -> datetime | None:
        """Return a field's moment in UTC: what <input type="datetime-local"> or "date" sends, in the desk's zone."""
        value = self.text(name)
        if not value:
            return None
        try:
            read = datetime.fromisoformat(value)
            aware = read if read.tzinfo else read.replace(tzinfo=zone)
            return aware.astimezone(UTC)
        except (ValueError, OverflowError):
            raise BadFormError(f"{name} is {value[:80]!r}; a date and time is needed, like 2026-04-02T15:30.") from None

    def checked(self, name: str) -> bool:
        """Say whether a box is checked."""
        return bool(self.text(name))
