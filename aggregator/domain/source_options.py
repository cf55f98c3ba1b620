"""Define options of a kind of source: one schema for the command line and the review desk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from aggregator.domain.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aggregator.domain.source import Json

LONGEST_TEXT = 1000  # characters


class OptionType(StrEnum):
    """The type of an option's value."""

    TEXT = "text"
    WHOLE = "whole"  # a whole number
    FLAG = "flag"  # true or false
    CHOICE = "choice"  # one of the choices
    SET = "set"  # any of the choices; a list, or text with commas


@dataclass(frozen=True, slots=True)
class SourceOption:
    """One option of a kind of source."""

    name: str  # in the stored options of a source
    type: OptionType
    label: str  # of the field in a form
    help: str
    choices: tuple[str, ...] = ()
    aliases: Mapping[str, str] | None = None  # former spellings of choices -> the stored value
    least: int = 0
    most: int = 2**31 - 1
    flag: str = ""  # on the command line, without dashes; default: the name
    former_flags: tuple[str, ...] = ()  # accepted for one release; of type FLAG: the flags for on and off
    expected: str = ""  # as text, for errors; default: by the type
    discovered: bool = False  # found by discovery: not a setting, and left out of exports
    check: Callable[[str], str] | None = None  # of type TEXT: returns the value to store; raises BadRequestError

    def parse(self, value: Json, subject: str) -> Json:
        """Validate a value and return it in its stored form.

        Args:
            value: from a form, a command or a file.
            subject: the owner of the option, for the error: "a feed".

        Raises:
            BadRequestError: the value is invalid; the message has the expected values.
        """
        try:
            return self._parse(value)
        except (ValueError, TypeError):
            raise BadRequestError(
                f"Invalid value {str(value)[:80]!r} for the option {self.name!r} of {subject}; "
                f"expected {self._expected()}."
            ) from None

    def _parse(self, value: Json) -> Json:
        match self.type:
            case OptionType.TEXT:
                return self._text(value)
            case OptionType.WHOLE:
                return self._whole(value)
            case OptionType.FLAG:
                return _flag(value)
            case OptionType.CHOICE:
                return self._choice(value)
            case OptionType.SET:
                parts = value.split(",") if isinstance(value, str) else value or []
                if not isinstance(parts, list):
                    raise TypeError
                return sorted({self._choice(part.strip()) for part in parts if part.strip()})

    def shown(self, value: Json) -> str:
        """Return a stored value in the form that people type."""
        if isinstance(value, bool):
            return str(value).lower()
        spelling = {stored: shown for shown, stored in (self.aliases or {}).items()}
        return ",".join(value) if isinstance(value, list) else spelling.get(str(value), str(value))

    @property
    def shown_choices(self) -> tuple[str, ...]:
        """The choices as shown to people."""
        spelling = {stored: shown for shown, stored in (self.aliases or {}).items()}
        return tuple(spelling.get(choice, choice) for choice in self.choices)

    def _text(self, value: Json) -> str:
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise ValueError
        return self.check(value) if self.check else value

    def _whole(self, value: Json) -> int:
        if isinstance(value, bool | float):
            raise TypeError
        number = int(value)
        if not self.least <= number <= self.most:
            raise ValueError
        return number

    def _choice(self, value: Json) -> str:
        value = (self.aliases or {}).get(value, value)
        if value not in self.choices:
            raise ValueError
        return str(value)

    def _expected(self) -> str:
        if self.expected:
            return self.expected
        match self.type:
            case OptionType.WHOLE:
                return f"a whole number, {self.least} to {self.most}"
            case OptionType.FLAG:
                return "true or false"
            case OptionType.CHOICE:
                return f"one of {', '.join(self.shown_choices)}"
            case OptionType.SET:
                return f"any of {', '.join(self.shown_choices)}"
        return f"text of up to {LONGEST_TEXT} characters"


def _flag(value: Json) -> bool:
    known = {True: True, False: False, "true": True, "false": False, "yes": True, "no": False}
    if value not in known or isinstance(value, int | float) is not isinstance(value, bool):
        raise ValueError
    return known[value]


@dataclass(frozen=True, slots=True)
class KindForm:
    """The form fields of a kind of source."""

    kind: str
    label: str
    options: tuple[SourceOption, ...]  # options that people set
    parse: Callable[[Mapping[str, Json]], Mapping[str, Json]]  # checks all options; raises BadRequestError


def parse_options(schema: Sequence[SourceOption], options: Mapping[str, Json], subject: str) -> dict[str, Json]:
    """Validate options against a schema and return them in stored form; empty sets are left out.

    Raises:
        BadRequestError: an option is unknown, or a value is invalid.
    """
    known = {option.name: option for option in schema}
    if unknown := sorted(options.keys() - known.keys()):
        settable = ", ".join(sorted(names_of(schema))) or "none"
        raise BadRequestError(
            f"{', '.join(map(repr, unknown))} is not an option of {subject}; its options: {settable}."
        )
    parsed = {name: known[name].parse(value, subject) for name, value in options.items()}
    return {name: value for name, value in parsed.items() if value != []}


def names_of(schema: Iterable[SourceOption]) -> list[str]:
    """Return the names of the options that people set."""
    return [option.name for option in schema if not option.discovered]
