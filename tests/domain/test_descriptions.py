"""Test descriptions of images: those of the publisher, and those of the editors."""

from __future__ import annotations

from dataclasses import replace

from aggregator.domain.activity import Media, Original
from aggregator.domain.descriptions import image_key, images_of, undescribed, with_descriptions
from tests.building import an_activity

SEA = Media("image", "https://pictures.example/sea.jpg")
CITY = Media("image", "https://pictures.example/city.jpg", alt="A city")
FILM = Media("video", "https://pictures.example/film.mp4")
BLANK = Media("image", "https://pictures.example/blank.jpg", alt=" ")
CONTENT = replace(an_activity("a").content, media=(SEA, CITY, FILM, BLANK))


def test_images_of_a_shared_post_count_once() -> None:
    original = Original("x:1", "1", replace(CONTENT, media=(SEA,)))
    assert images_of(CONTENT, original) == [SEA, CITY, BLANK]
    assert undescribed(CONTENT, original) == 2


def test_editors_describe_what_the_publisher_did_not() -> None:
    words = {image_key(media.url): "By the editors" for media in (SEA, CITY, FILM)}
    alts = [media.alt for media in with_descriptions(CONTENT, words).media]
    assert alts == ["By the editors", "A city", None, " "]
    assert with_descriptions(CONTENT, {}) is CONTENT


def test_keys_are_no_addresses() -> None:
    assert "pictures" not in image_key(SEA.url)
    assert image_key(SEA.url) != image_key(CITY.url)
