"""Draw pictures for tests."""

from __future__ import annotations

import io

from PIL import Image


def picture(width: int = 40, height: int = 30, kind: str = "PNG", colour: str = "teal", **options: object) -> bytes:
    """Return the bytes of a picture of one color."""
    written = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(written, kind, **options)
    return written.getvalue()


def size_of(body: bytes) -> tuple[str | None, tuple[int, int]]:
    """Return the format and the size of a picture."""
    with Image.open(io.BytesIO(body)) as image:
        return image.format, image.size
