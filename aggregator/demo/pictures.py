"""Draw the pictures of the sample world."""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

MEDIA_TYPE = "image/png"
_HUES = 360
_WHITE = (255, 255, 255)


@lru_cache(maxsize=256)
def pattern(name: str) -> bytes:
    """Draw three circles in colors derived from the name."""
    hue = _hue(name)
    image = Image.new("RGB", (600, 400), f"hsl({hue}, 40%, 90%)")
    draw = ImageDraw.Draw(image)
    for number in range(3):
        center, radius = (150 + 150 * number, 200 - 40 * (number % 2)), 110 - 20 * number
        draw.circle(center, radius, f"hsl({(hue + 40 * number) % _HUES}, 60%, 60%)")
    return _written(image)


@lru_cache(maxsize=256)
def avatar(name: str) -> bytes:
    """Draw the first letter of the name on a plain ground."""
    image = Image.new("RGB", (96, 96), f"hsl({_hue(name)}, 45%, 40%)")
    letter = name.removeprefix("sample_")[:1].upper()
    ImageDraw.Draw(image).text((48, 48), letter, _WHITE, ImageFont.load_default(48), anchor="mm")
    return _written(image)


def _written(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _hue(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:2], "big") % _HUES
