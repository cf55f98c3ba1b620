"""Decode pictures from outside and write them anew: small, of one format, without metadata. Pure.

Only formats of pixels are read. SVG is a document that may run scripts and load other files, so it is never passed on.
"""

from __future__ import annotations

import io

from PIL import Image, ImageOps

MEDIA_TYPE = "image/webp"
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
_MOST_PIXELS = 20_000_000  # decoded, four bytes each; a JPEG is decoded at a fraction of its size
_MOST_NAMED = 200_000_000  # before that fraction is chosen
_LEAST_SIDE = 2  # smaller ones are tracking pixels
_QUALITY = 80

Image.MAX_IMAGE_PIXELS = None  # `scaled` checks the size before decoding; the library's own check is twofold


def scaled(body: bytes, pixels: int) -> bytes | None:
    """Return a picture as WebP whose longer side has at most so many pixels, or None if it can't be shown.

    Of an animation, the first frame is taken.
    """
    try:
        with Image.open(io.BytesIO(body), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_NAMED:
                return None
            image.draft("RGB", (pixels, pixels))
            if image.width * image.height > _MOST_PIXELS or min(image.size) < _LEAST_SIDE:
                return None
            return _written(image, pixels)
    except Exception:  # noqa: BLE001  # decoders raise errors of every kind for malformed files
        return None


def _written(image: Image.Image, pixels: int) -> bytes:
    upright = ImageOps.exif_transpose(image)
    has_alpha = upright.mode in {"RGBA", "LA", "PA"} or "transparency" in upright.info
    plain = upright.convert("RGBA" if has_alpha else "RGB")
    plain.thumbnail((pixels, pixels), reducing_gap=2.0)
    written = io.BytesIO()
    plain.save(written, "WEBP", quality=_QUALITY, method=4, exif=b"", icc_profile=b"", xmp=b"")
    return written.getvalue()
