"""Test scaling of pictures: one format, bounded size, no metadata, and nothing but pictures."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from aggregator.web.image_scaling import scaled
from tests.pictures import picture, size_of


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_formats_of_pixels_become_webp(kind: str) -> None:
    body = scaled(picture(800, 400, kind), 100)
    assert body is not None
    assert size_of(body) == ("WEBP", (100, 50))


def test_a_small_picture_keeps_its_size() -> None:
    assert size_of(scaled(picture(40, 30), 100) or b"") == ("WEBP", (40, 30))


def test_metadata_is_dropped_after_the_picture_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "Secret camera"
    body = scaled(picture(80, 40, "JPEG", exif=exif.tobytes(), icc_profile=b"x" * 200, comment=b"where"), 100)
    assert body is not None
    assert size_of(body)[1] == (40, 80)
    assert b"Secret" not in body
    assert b"EXIF" not in body
    assert b"ICCP" not in body


def test_an_animation_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    written = io.BytesIO()
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:])
    body = scaled(written.getvalue(), 100)
    assert body is not None
    with Image.open(io.BytesIO(body)) as image:
        assert not getattr(image, "is_animated", False)
        red, _, blue = image.convert("RGB").getpixel((5, 5))  # type: ignore[misc]
        assert red > 200 > blue


def test_transparency_is_kept() -> None:
    written = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(written, "PNG")
    with Image.open(io.BytesIO(scaled(written.getvalue(), 100) or b"")) as image:
        assert image.mode == "RGBA"


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that names a huge size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


NO_PICTURES = {
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
    "html": b"<html>",
    "empty": b"",
    "cut": picture(400, 400, "JPEG", quality=95)[:200],
    "pixel": picture(1, 1),
    "bomb": bomb(60_000, 60_000),
    "large": bomb(5000, 5000),
    "bmp": picture(10, 10, "BMP"),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_nothing_else_is_passed_on(name: str) -> None:
    assert scaled(NO_PICTURES[name], 100) is None
