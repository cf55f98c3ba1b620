"""Read, check and show the pictures of our own posts."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import threading
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import Media
from aggregator.domain.descriptions import LONGEST_DESCRIPTION
from aggregator.domain.errors import NotFoundError
from aggregator.domain.own_posts import PICTURE_NAME, PICTURE_PATH
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.form import BadFormError
from aggregator.web.image_scaling import MEDIA_TYPE, scaled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aggregator.domain.activity import Activity
    from aggregator.review.context import DeskContext, DeskRequest

_NAME = re.compile(PICTURE_NAME)
_PIXELS = 1600  # of the longer side
_LARGEST = 2 * 1024 * 1024  # bytes of a scaled picture
_DECODING = threading.BoundedSemaphore(2)  # decoders at a time: each may take some 80 MB


class PostPicture(NamedTuple):
    """The picture of a post. `body` is None if it is stored already."""

    name: str
    alt: str
    body: bytes | None

    @property
    def encoded(self) -> str:
        """The picture as a hidden field carries it from a preview to the next form."""
        return base64.b64encode(self.body).decode() if self.body is not None else ""

    def media(self, base: str) -> Media:
        """Return the picture as a part of the post."""
        return Media("image", f"{base}{PICTURE_PATH}{self.name}", alt=self.alt, mime=MEDIA_TYPE)


def picture_in(request: DeskRequest, item: Activity | None) -> PostPicture | None:
    """Return the picture of a form: a new one, the previewed one, or that of the post; None: it has none.

    Raises:
        BadFormError: the file is no picture, or the picture has no description.
    """
    form = request.form
    upload, previewed = form.upload("picture"), form.text("previewed", most=2 * _LARGEST)
    alt = " ".join(form.text("alt", most=LONGEST_DESCRIPTION).split())
    if upload is not None and upload.body:
        found = _checked(upload.body, alt)
    elif form.checked("without_picture"):
        return None
    elif previewed:
        found = _checked(_decoded(previewed), alt)
    else:
        former = picture_of(item) if item else None
        if former is None:
            return None
        found = former._replace(alt=alt)
    if not found.alt:
        raise BadFormError("Describe the picture for readers who can't see it.")
    return found


def picture_of(item: Activity) -> PostPicture | None:
    """Return the picture of a stored post."""
    for media in item.content.media:
        name = media.url.rpartition(PICTURE_PATH)[2]
        if media.type == "image" and _NAME.fullmatch(name):
            return PostPicture(name, media.alt or "", None)
    return None


def _checked(body: bytes, alt: str) -> PostPicture:
    """Decode a picture and write it anew: without metadata, and at most as large as pages show it."""
    with _DECODING:
        made = scaled(body, _PIXELS)
    if made is None or len(made) > _LARGEST:
        raise BadFormError("The picture can't be read. Choose a JPEG, PNG, WebP, GIF or AVIF file of up to 3 MB.")
    return PostPicture(f"{hashlib.sha256(made).hexdigest()[:32]}.webp", alt, made)


def _decoded(previewed: str) -> bytes:
    try:
        return base64.b64decode(previewed, validate=True)
    except binascii.Error:
        raise BadFormError("The previewed picture is damaged; choose the file again.") from None


class PicturePages:
    """The route for pictures of posts at the desk, also of drafts."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", f"{PICTURE_PATH}{{name}}", Role.VIEWER, self.picture)

    def picture(self, request: DeskRequest) -> Response:
        """Return a picture."""
        name = str(request.http.path_params["name"])
        body = None
        if _NAME.fullmatch(name):
            with self._desk.store.reading() as tx:
                body = tx.stream.uploads.get(name, also_hidden=True)
        if body is None:
            raise NotFoundError("There is no such picture.")
        return Response(body, media_type=MEDIA_TYPE, headers={"X-Content-Type-Options": "nosniff"})


def picture_path(name: str) -> str:
    """Return the desk's path of a picture."""
    return f"{HOME}{PICTURE_PATH}{name}"
