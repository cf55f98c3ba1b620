"""Write `<img>` tags, and detect the hidden ones. Pure."""

from __future__ import annotations

import html as entities
import re
from typing import TYPE_CHECKING

from aggregator.text.pictures import is_lazy

if TYPE_CHECKING:
    from collections.abc import Mapping

_HIDING = re.compile(r"""(?i)display\s*:\s*none|visibility\s*:\s*hidden""")
_TRANSPARENT = re.compile(r"(?i)opacity\s*:\s*0?(?:\.0*)?(?![.\d])")
_TINY_STYLE = re.compile(r"(?i)(?:^|;)\s*(?:max-)?(width|height)\s*:\s*0*[01](?:px)?(?:\s*!important)?\s*(?=;|$)")
_TINY = re.compile(r"\s*0*[0-2](?:\.0*)?(?:px)?\s*")
_PHOTO = re.compile(r"(?i)\.(?:jpe?g|png|webp|avif)(?:[?#]|$)")
_KEPT = ("alt", "title", "width", "height", "lang", "dir")


def img_tag(address: str, attributes: Mapping[str, str]) -> str:
    """Return an `<img>` with an address, and of its attributes those that articles may have."""
    kept = {"src": address, **{name: attributes[name] for name in _KEPT if name in attributes}}
    written = (f'{name}="{entities.escape(value)}"' for name, value in kept.items())
    return f"<img {' '.join(written)}>"


def is_hidden(attributes: Mapping[str, str]) -> bool:
    """Return whether an element's own attributes hide it."""
    return "hidden" in attributes or bool(_HIDING.search(attributes.get("style", "")))


def is_tiny(attributes: Mapping[str, str]) -> bool:
    """Return whether both sides of a frame or picture are a few pixels."""
    sides = [attributes.get(name, "") for name in ("width", "height")]
    styles = {match[1].lower() for match in _TINY_STYLE.finditer(attributes.get("style", ""))}
    return all(map(_TINY.fullmatch, sides)) or styles == {"width", "height"}


def is_pixel(attributes: Mapping[str, str], *, lazy: bool) -> bool:
    """Return whether a picture is hidden. Scripts may show one that they load."""
    sides = [attributes[name] for name in ("width", "height") if attributes.get(name)]
    if is_tiny(attributes) or (sides and all(map(_TINY.fullmatch, sides))):
        return True
    style = attributes.get("style", "")
    clear = _TRANSPARENT.search(style) and "transition" not in style and not _PHOTO.search(attributes.get("src", ""))
    return not lazy and (is_hidden(attributes) or bool(clear))


def is_content(attributes: Mapping[str, str], address: str) -> bool:
    """Return whether a picture in a hidden element may be shown later, as in a gallery, and counts no readers."""
    sized = all(attributes.get(name, "").isdigit() for name in ("width", "height"))
    return sized or is_lazy(attributes) or bool(_PHOTO.search(address))
