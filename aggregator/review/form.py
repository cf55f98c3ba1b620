"""Read and check form fields."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlencode

from aggregator.domain.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LARGEST_ID = 2**63 - 1
_MOST_FIELDS = 3000


_ID = re.compile(r"[1-9][0-9]{0,18}")  # longer texts would make int() fail


class BadFormError(BadRequestError):
    """A field is invalid; the message names it and the expected value."""

    code = "bad-form"


def id_in(text: str) -> int | None:
    """Return the id in a text, such as a part of a path; None if it is none."""
    return int(text) if _ID.fullmatch(text) and int(text) <= _LARGEST_ID else None


class Upload(NamedTuple):
    """A file that was sent with a form."""

    name: str
    body: bytes


class Form:
    """The fields of a form or query string. Text is stripped, without control characters."""

    def __init__(self, fields: Mapping[str, Sequence[str]], files: Mapping[str, Upload] | None = None) -> None:
        self._fields = fields
        self._files = files or {}

    def upload(self, name: str) -> Upload | None:
        """Return an uploaded file, or None if the field is empty."""
        upload = self._files.get(name)
        return upload if upload and upload.body else None

    def encoded(self) -> str:
        """Return the fields without the form token, URL-encoded."""
        return urlencode({name: values for name, values in self._fields.items() if name != "csrf"}, doseq=True)

    def texts(self, name: str) -> list[str]:
        """Return every value of a field."""
        return [_UNSEEN.sub("", value).replace("\r\n", "\n").strip() for value in self._fields.get(name, ())]

    def text(self, name: str, *, most: int = 500) -> str:
        """Return the single value of a field, or "".

        Raises:
            BadFormError: it is longer than `most` characters or given more than once.
        """
        values = self.texts(name)
        if len(values) > 1:
            raise BadFormError(f"The field {name!r} was sent {len(values)} times.")
        if values and len(values[0]) > most:
            raise BadFormError(f"{name} has {len(values[0])} characters; the limit is {most}.")
        return values[0] if values else ""

    def raw(self, name: str, *, most: int) -> str:
        """Return the single value of a field unchanged: a password may begin with a space."""
        values = self._fields.get(name, ())
        if len(values) > 1 or any(len(value) > most for value in values):
            raise BadFormError(f"{name} must be a single value of at most {most} characters.")
        return values[0] if values else ""

    def needed(self, name: str, *, most: int = 500) -> str:
        """Return the value of a required field."""
        value = self.text(name, most=most)
        if not value:
            raise BadFormError(f"{name} is required.")
        return value

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return the value of a field, which must be an allowed one."""
        value = self.text(name) or (default if default is not None else "")
        if value not in allowed:
            raise BadFormError(f"{name} is {value[:80]!r}; expected {' or '.join(filter(None, allowed))}.")
        return value

    def whole(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """Return the integer value of a field."""
        value = self.text(name)
        if not value and default is not None:
            return default
        if not re.fullmatch(r"-?[0-9]{1,19}", value) or not least <= int(value) <= most:
            raise BadFormError(f"{name} is {value[:80]!r}; it must be a whole number from {least} to {most}.")
        return int(value)

    def ids(self, name: str, *, most: int = 500) -> list[int]:
        """Return the distinct ids of a repeatable field."""
        found = []
        for value in self.texts(name):
            if (id_ := id_in(value)) is None:
                raise BadFormError(f"{name}: {value[:80]!r} isn't an id.")
            found.append(id_)
        if len(found) > most:
            raise BadFormError(f"{len(found)} are too many; the limit is {most}.")
        return list(dict.fromkeys(found))

    def moment(self, name: str, zone: tzinfo) -> datetime | None:
        """Return the time of a "datetime-local" or "date" input in UTC; the input is in the desk's time zone."""
        value = self.text(name)
        if not value:
            return None
        try:
            read = datetime.fromisoformat(value)
            aware = read if read.tzinfo else read.replace(tzinfo=zone)
            return aware.astimezone(UTC)
        except (ValueError, OverflowError):
            raise BadFormError(
                f"{name} is {value[:80]!r}; expected a date and time, such as 2026-04-02T15:30."
            ) from None

    def checked(self, name: str) -> bool:
        """Return whether a box is checked."""
        return bool(self.text(name))


def fields_in(encoded: str) -> Mapping[str, Sequence[str]]:
    """Return the fields of a URL-encoded form or query.

    Raises:
        BadFormError: it is not UTF-8, or has too many fields.
    """
    try:
        return parse_qs(encoded, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise BadFormError(f"The form must be UTF-8 with at most {_MOST_FIELDS} fields.") from None
