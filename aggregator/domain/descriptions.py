"""Describe images in the editors' words where their publisher gave none. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aggregator.domain.activity import Activity, Content, Media, Original

LONGEST_DESCRIPTION = 1500  # characters
MOST_IMAGES = 40  # of an item that can be described


def image_key(url: str) -> str:
    """Return the key of an image's description: no address of a publisher is stored beside editors' words."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def images_of(content: Content, original: Original | None) -> Sequence[Media]:
    """Return the images of an item and of the post that it shares, each once."""
    contents = [content, original.content] if original else [content]
    found = {media.url: media for each in contents for media in each.media if media.type == "image"}
    return list(found.values())[:MOST_IMAGES]


def left_to_editors(item: Activity) -> list[Media]:
    """Return the images of an item that its publisher did not describe."""
    found = images_of(item.content, item.object)
    return [
        image for image in found if not (image.alt and image.alt.strip()) or image_key(image.url) in item.descriptions
    ]


def undescribed(content: Content, original: Original | None) -> int:
    """Return the number of images without a description."""
    return sum(not (media.alt and media.alt.strip()) for media in images_of(content, original))


class MissingDescriptions(NamedTuple):
    """The images of an item for which its publisher gave no description."""

    item: Activity
    images: Sequence[Media]  # some may have one by the editors


class DescriptionReport(NamedTuple):
    """How far a publisher describes images."""

    items: int  # with images
    images: int
    missing: Sequence[MissingDescriptions]

    @property
    def undescribed(self) -> int:
        """The number of images without a description of their publisher."""
        return sum(len(found.images) for found in self.missing)


def report_of(items: Iterable[Activity]) -> DescriptionReport:
    """Return the images of items that their publisher left undescribed, in the order of the items."""
    with_images, images = 0, 0
    missing = []
    for item in items:
        found = images_of(item.content, item.object)
        without = left_to_editors(item)
        with_images, images = with_images + bool(found), images + len(found)
        if without:
            missing.append(MissingDescriptions(item, without))
    return DescriptionReport(with_images, images, missing)


def with_descriptions(content: Content, descriptions: Mapping[str, str]) -> Content:
    """Return a content whose undescribed images have the editors' descriptions; the publisher's own are kept."""
    media = tuple(
        replace(each, alt=descriptions.get(image_key(each.url), each.alt))
        if each.type == "image" and not (each.alt and each.alt.strip())
        else each
        for each in content.media
    )
    return content if media == content.media else replace(content, media=media)
