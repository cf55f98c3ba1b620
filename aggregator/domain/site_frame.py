"""Define the frame of a site: logo, colors, fonts, links, and what the operator states on accessibility. Pure.

Colors are checked for their contrast when the file is loaded (WCAG 2.2, 1.4.3: 4.5:1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence  # noqa: TC003  # pydantic reads it
from datetime import date  # noqa: TC003  # pydantic reads it
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aggregator.domain.file_translations import LanguageTag, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_CONTRAST = 4.5
_TINT = 0.12  # share of the accent color in its ground
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_LOGO = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\.(svg|png|webp|jpg|jpeg)")
_FONT = re.compile(r"[A-Za-z0-9 ,'\"-]{1,200}")
# The colors of site.css by their names in the file, and the variables that they set.
VARIABLES = {
    "page": "page",
    "surface": "surface",
    "text": "ink",
    "muted": "soft",
    "line": "line",
    "accent": "accent",
    "header": "band",
    "header_text": "band-ink",
}
LIGHT = {
    "page": "#f5f3ee",
    "surface": "#ffffff",
    "text": "#1d2327",
    "muted": "#59626a",
    "line": "#e4dfd5",
    "accent": "#0b5a62",
    "header": "#0a3d44",
    "header_text": "#f3f8f7",
}
DARK = {
    "page": "#101416",
    "surface": "#181d20",
    "text": "#e7e6e1",
    "muted": "#a2abb1",
    "line": "#2a3236",
    "accent": "#82d1d3",
    "header": "#0b2a2f",
    "header_text": "#e8f3f2",
}
# Text colors with the grounds on which they stand.
_PAIRS = (
    *((text, ground) for text in ("text", "muted", "accent") for ground in ("page", "surface")),
    ("header_text", "header"),
)


def _checked_color(color: str) -> str:
    if not _HEX.fullmatch(color):
        raise ValueError(f"{color!r} is not a color such as #0b5a62")
    return color.lower()


def _checked_address(address: str) -> str:
    parts = urlsplit(address)
    is_web = parts.scheme in {"http", "https"} and bool(parts.netloc)
    is_own = address.startswith("/") and not address.startswith("//")
    is_mail = parts.scheme == "mailto" and "@" in parts.path
    if not (is_web or is_own or is_mail) or not address.isprintable() or " " in address:
        raise ValueError(f"{address!r} must begin with https://, mailto: or /")
    return address


def _checked_logo(name: str) -> str:
    if name and not _LOGO.fullmatch(name):
        raise ValueError(f"{name!r} must be the name of an SVG, PNG, WebP or JPEG file in this folder")
    return name


def _checked_font(families: str) -> str:
    if families and not _FONT.fullmatch(families):
        raise ValueError(f"{families!r} must be names of fonts, separated by commas")
    return families


Color = Annotated[str, AfterValidator(_checked_color)]
Address = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_checked_address)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _LinkTexts(_Strict):
    label: str = Field(default="", min_length=1, max_length=100)
    url: Annotated[str, AfterValidator(_checked_address)] = ""


class SiteLink(_Strict):
    """A link of the frame."""

    label: str = Field(min_length=1, max_length=100)
    url: Address
    translations: Mapping[LanguageTag, _LinkTexts] = {}

    def in_language(self, language: str) -> SiteLink:
        """Return the link in a language (BCP 47)."""
        return translated(self, self.translations, language)


class Colors(_Strict):
    """Some colors of a theme; the others keep their defaults."""

    page: Color | None = None
    surface: Color | None = None
    text: Color | None = None
    muted: Color | None = None
    line: Color | None = None
    accent: Color | None = None
    header: Color | None = None
    header_text: Color | None = None

    def chosen(self) -> dict[str, str]:
        """Return the given colors by name."""
        return {name: color for name in VARIABLES if (color := getattr(self, name)) is not None}


class Fonts(_Strict):
    """Families of fonts, which visitors' systems have."""

    text: Annotated[str, AfterValidator(_checked_font)] = ""
    headings: Annotated[str, AfterValidator(_checked_font)] = ""


class Compliance(StrEnum):
    """How far a site conforms to the standard."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


class _StatementTexts(_Strict):
    organization: str = Field(default="", min_length=1, max_length=200)
    method: str = Field(default="", min_length=1, max_length=500)
    law: str = Field(default="", min_length=1, max_length=500)
    issues: Sequence[str] = Field(default=(), max_length=50)


class Accessibility(_Strict):
    """What the operator states on accessibility (Commission Implementing Decision (EU) 2018/1523)."""

    organization: str = Field(min_length=1, max_length=200)
    contact: Address
    compliance: Compliance
    prepared: date
    method: str = Field(default="", max_length=500)  # "": a self-assessment
    law: str = Field(default="", max_length=500)  # "": the law that transposes the directive
    issues: Sequence[str] = Field(default=(), max_length=50)
    enforcement: SiteLink | None = None
    translations: Mapping[LanguageTag, _StatementTexts] = {}

    def in_language(self, language: str) -> Accessibility:
        """Return the statement in a language (BCP 47)."""
        made = translated(self, self.translations, language)
        if made.enforcement is None:
            return made
        return made.model_copy(update={"enforcement": made.enforcement.in_language(language)})


class Site(_Strict):
    """The frame of all public pages."""

    logo: Annotated[str, AfterValidator(_checked_logo)] = ""
    navigation: Sequence[SiteLink] = Field(default=(), max_length=12)
    footer: Sequence[SiteLink] = Field(default=(), max_length=30)
    legal: Sequence[SiteLink] = Field(default=(), max_length=12)
    contact: SiteLink | None = None
    colors: Colors = Colors()
    colors_dark: Colors = Colors()
    fonts: Fonts = Fonts()

    def in_language(self, language: str) -> Site:
        """Return the frame in a language (BCP 47)."""
        lists = {name: getattr(self, name) for name in ("navigation", "footer", "legal")}
        links: dict[str, object] = {
            name: [link.in_language(language) for link in listed] for name, listed in lists.items()
        }
        return self.model_copy(
            update={**links, "contact": self.contact.in_language(language) if self.contact else None}
        )


PLAIN = Site()


def contrast(color: str, ground: str) -> float:
    """Return the contrast of two colors: 1 to 21."""
    lights = sorted((_luminance(color), _luminance(ground)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def low_contrasts(site: Site) -> Iterator[tuple[str, str, str]]:
    """Yield for each pair of colors that can't be read: the theme, the color to change, and a sentence."""
    for theme, given, defaults in (("colors", site.colors, LIGHT), ("colors_dark", site.colors_dark, DARK)):
        chosen = given.chosen()
        colors = defaults | chosen
        pairs = {(text, ground): colors[ground] for text, ground in _PAIRS}
        pairs["accent", "its tint"] = tint(colors)
        for (text, ground), color in pairs.items():
            ratio = contrast(colors[text], color)
            concerned = [name for name in (text, ground, "surface") if name in chosen]
            if ratio < LEAST_CONTRAST and concerned:
                yield (
                    theme,
                    concerned[0],
                    (
                        f"{text} {colors[text]} on {ground} {color} has a contrast of {ratio:.1f}:1, but text needs "
                        f"{LEAST_CONTRAST}:1"
                    ),
                )


def tint(colors: Mapping[str, str]) -> str:
    """Return the ground of links that are selected: the surface with some accent."""
    parts = zip(_channels(colors["accent"]), _channels(colors["surface"]), strict=True)
    return "#" + "".join(f"{round(_TINT * accent + (1 - _TINT) * surface):02x}" for accent, surface in parts)


def theme_css(site: Site) -> str:
    """Return the style sheet with the site's own colors and fonts; "" without any."""
    made = ""
    for scheme, rules in (("light", _rules(site.colors, LIGHT)), ("dark", _rules(site.colors_dark, DARK))):
        made += f"@media (prefers-color-scheme:{scheme}){{:root{{{rules}}}}}" if rules else ""
    fonts = {"sans": site.fonts.text, "serif": site.fonts.headings}
    families = "".join(f"--{name}:{listed};" for name, listed in fonts.items() if listed)
    return made + (f":root{{{families}}}" if families else "")


def _rules(given: Colors, defaults: Mapping[str, str]) -> str:
    chosen = given.chosen()
    rules = "".join(f"--{VARIABLES[name]}:{color};" for name, color in chosen.items())
    if {"accent", "surface"} & chosen.keys():
        rules += f"--accent-ground:{tint({**defaults, **chosen})};"
    return rules


def _channels(color: str) -> tuple[int, ...]:
    return tuple(int(color[place : place + 2], 16) for place in (1, 3, 5))


def _luminance(color: str) -> float:
    linear = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4  # noqa: PLR2004  # of WCAG
        for channel in (part / 255 for part in _channels(color))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
