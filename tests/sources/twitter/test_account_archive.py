"""Test account archives: posts with everything that belongs to them, and damaged, hostile and foreign files."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pytest

from aggregator.domain.errors import BadRequestError
from aggregator.sources.twitter import account_archive
from aggregator.sources.twitter.account_archive import ArchivedAccount, objects_in, opened, page_of
from aggregator.sources.twitter.normalise import normalise
from tests.sources.twitter.archives import archive, archived, script

if TYPE_CHECKING:
    from pathlib import Path

    from aggregator.domain.activity import NewActivity

DESK = ArchivedAccount("7", "desk_example")


def read(path: Path) -> list[NewActivity]:
    with opened(path) as file:
        return normalise(page_of([*file.posts()], file.account()))


def test_a_post_has_its_text_time_links_mentions_and_hashtags(tmp_path: Path) -> None:
    text = "\U0001f600 Read &amp; see #OpenData with @someone https://t.co/abc"
    post = archived(
        11,
        text,
        entities={
            "urls": [{
                "url": "https://t.co/abc", "expanded_url": "https://example.org/report",
                "display_url": "example.org/report", "indices": ["44", "60"],
            }],
            "hashtags": [{"text": "OpenData", "indices": ["17", "26"]}],
            "user_mentions": [{"screen_name": "someone", "id_str": "9", "indices": ["32", "40"]}],
        },
    )  # fmt: skip
    [activity] = read(archive(tmp_path / "a.zip", [post]))
    content = activity.content
    assert activity.key == "x:11"
    assert content.published is not None
    assert content.published.isoformat() == "2024-01-06T12:00:00+00:00"
    assert content.text.startswith("\U0001f600 Read & see #OpenData with @someone ")
    assert [link.url for link in content.links] == ["https://example.org/report"]
    assert content.hashtags == ("OpenData",)
    assert content.actor is not None
    assert content.actor.native_id == "7"


def test_pictures_and_films_have_their_addresses_at_x(tmp_path: Path) -> None:
    media = [
        {"id_str": "1", "type": "photo", "media_url_https": "https://pbs.twimg.com/media/a.jpg", "url": "https://t.co/m",
         "expanded_url": "https://twitter.com/desk_example/status/12/photo/1", "indices": ["5", "19"],
         "sizes": {"large": {"w": "1200", "h": "800", "resize": "fit"}}},
        {"id_str": "2", "type": "video", "media_url_https": "https://pbs.twimg.com/media/b.jpg",
         "video_info": {"variants": [
             {"bitrate": "832000", "content_type": "video/mp4", "url": "https://video.twimg.com/b-small.mp4"},
             {"bitrate": "2176000", "content_type": "video/mp4", "url": "https://video.twimg.com/b.mp4"},
             {"content_type": "application/x-mpegURL", "url": "https://video.twimg.com/b.m3u8"}]}},
    ]  # fmt: skip
    [activity] = read(
        archive(
            tmp_path / "a.zip",
            [archived(12, "Look https://t.co/m", entities={"media": media[:1]}, extended_entities={"media": media})],
        )
    )
    picture, film = activity.content.media
    assert (picture.url, picture.width, picture.height) == ("https://pbs.twimg.com/media/a.jpg", 1200, 800)
    assert (film.url, film.preview) == ("https://video.twimg.com/b.mp4", "https://pbs.twimg.com/media/b.jpg")
    assert activity.content.text == "Look"


def test_replies_name_what_they_answer_and_reposts_are_left_out(tmp_path: Path) -> None:
    posts = [
        archived(13, "An answer", in_reply_to_status_id_str="5", in_reply_to_user_id_str="9"),
        archived(14, "RT @someone: Words of somebody else that the archive cu…"),
    ]
    [activity] = read(archive(tmp_path / "a.zip", posts))
    assert activity.content.kind == "reply"


def test_all_parts_are_read_and_deleted_posts_are_not(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", [archived(11, "One")], [archived(12, "Two")], [archived(13, "Three")])
    assert [activity.content.text for activity in read(path)] == ["One", "Two", "Three"]


@pytest.mark.parametrize("folder", ["", "data/", "./data/"])
def test_files_are_found_in_either_place(tmp_path: Path, folder: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(f"{folder}account.js", script("account", '[{"account": {"accountId": "7", "username": "d"}}]'))
        file.writestr(f"{folder}tweet.js", script("tweet", [archived(11, "One")]))
    assert [activity.content.text for activity in read(tmp_path / "a.zip")] == ["One"]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param([], id="a list"),
        pytest.param({"tweet": []}, id="a list for a post"),
        pytest.param({"tweet": {"id_str": "x"}}, id="no number"),
        pytest.param(archived(12, "x", entities=[1]), id="entities of another type"),
        pytest.param(archived(12, "x", entities={"urls": [1, {"indices": ["0", "-1"]}]}), id="odd links"),
        pytest.param(archived(12, "x", created_at="yesterday"), id="no time"),
        pytest.param(archived(12, "x", extended_entities={"media": [1, {"type": "photo"}]}), id="odd media"),
        pytest.param(archived(12, "x", id_str="²"), id="a digit that is no decimal"),
        pytest.param(archived(12, "x", id_str="9" * 5000), id="an endless id"),
        pytest.param(archived(12, "x", entities={"urls": [{"indices": ["²", 3]}]}), id="no decimal as a position"),
        pytest.param(archived(12, "x", entities={"urls": [{"indices": [0, "9" * 5000]}]}), id="an endless position"),
        pytest.param(
            archived(
                12,
                "x",
                extended_entities={
                    "media": [
                        {"id_str": "1", "type": "photo", "sizes": {"large": {"w": "²", "h": "9" * 5000}}},
                        {"id_str": "2", "type": "video", "video_info": {"variants": [{"bitrate": "²"}]}},
                    ]
                },
            ),
            id="media with odd numbers",
        ),
    ],
)  # fmt: skip
def test_odd_posts_cost_no_other_post(tmp_path: Path, odd: object) -> None:
    path = archive(tmp_path / "a.zip", json.dumps([archived(11, "One"), odd, archived(13, "Three")]))
    texts = [activity.content.text for activity in read(path)]
    assert (texts[0], texts[-1]) == ("One", "Three")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('[{"tweet": {"id_str": "1"', "in the middle of an object", id="cut off"),
        pytest.param("[" * 200_000, "too deeply|malformed", id="nested"),
        pytest.param('[{"a": "' + "x" * 3_000_000, "too long", id="a long object"),
        pytest.param("<!doctype html>", "in the middle|malformed", id="a page"),
        pytest.param('[{"a": ' + "1" * 5000 + "}]", "number that is too long", id="an endless number"),
    ],
)
def test_malformed_files_are_an_error(text: str, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        [*objects_in(io.StringIO(text), "tweets.js")]


def test_objects_in_pieces_of_any_size_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [{"number": number, "text": "] , {" * number} for number in range(50)]
    for size in (1, 7, 100):
        monkeypatch.setattr(account_archive, "_CHUNK", size)
        assert [*objects_in(io.StringIO(script("tweets", items)), "tweets.js")] == items


def test_a_file_that_unpacks_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_archive, "_LARGEST_FILE", 1_000_000)
    path = archive(tmp_path / "a.zip", "[" + " " * 5_000_000 + "]")
    with pytest.raises(BadRequestError, match="more than 1,000,000 bytes"):
        read(path)


def test_more_posts_than_the_limit_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_archive, "_MOST_POSTS", 2)
    with pytest.raises(BadRequestError, match="more than 2 posts"):
        read(archive(tmp_path / "a.zip", [archived(number, "x") for number in (1, 2, 3)]))


@pytest.mark.parametrize("comment", [b"", b"PK\6\6" + bytes(52), b"x" * 65_535], ids=["none", "a record", "long"])
def test_a_long_directory_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comment: bytes) -> None:
    path = archive(tmp_path / "a.zip", [archived(11, "One")])
    with zipfile.ZipFile(path, "a") as file:
        for number in range(1000):
            file.writestr(f"data/tweets_media/{number}-picture-of-a-long-name.jpg", b"")
        file.comment = comment
    monkeypatch.setattr(account_archive, "_LARGEST_DIRECTORY", 70_000)
    with pytest.raises(BadRequestError, match=r"list of files has more than 70,000 bytes"):
        read(path)


def test_more_files_than_the_limit_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_archive, "_MOST_FILES", 3)
    with pytest.raises(BadRequestError, match="more than 3 files"):
        read(archive(tmp_path / "a.zip", [archived(11, "One")]))


@pytest.mark.parametrize(
    ("marker", "offset", "junk"),
    [
        pytest.param(b"PK\5\6", 12, b"\xff\xff\xff\x7f", id="a directory of another size"),
        pytest.param(b"PK\5\6", 16, b"\xff\xff\xff\x7f", id="a directory elsewhere"),
        pytest.param(b"PK\1\2", 8, b"\x01\x00", id="encrypted"),
        pytest.param(b"PK\1\2", 8, b"\x00\x08\x08\x00" + bytes(34) + b"\xff", id="a name that is no UTF-8"),
        pytest.param(b"PK\1\2", 42, b"\xff\xff\xff\x7f", id="a file elsewhere"),
        pytest.param(b"data/tweets.js", 14, b"\xff" * 40, id="content that can't be unpacked"),
    ],
)
def test_damaged_files_are_an_error(tmp_path: Path, marker: bytes, offset: int, junk: bytes) -> None:
    path = archive(tmp_path / "a.zip", [archived(number, "One") for number in range(100)])
    body = bytearray(path.read_bytes())
    if marker == b"PK\1\2":  # the entry of the posts in the directory
        at = body.rfind(marker, 0, body.rfind(b"data/tweets.js")) + offset
    else:
        at = body.find(marker) + offset
    body[at : at + len(junk)] = junk
    path.write_bytes(body)
    with pytest.raises(BadRequestError, match=r"a\.zip"):
        read(path)


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data/account.js", "\ufeff" + script("account", '[{"account": {"accountId": "7"}}]'))
        file.writestr("data/tweets.js", "\ufeff" + script("tweets", [archived(11, "One")]))
    assert [activity.content.text for activity in read(path)] == ["One"]


@pytest.mark.parametrize("name", ["missing.zip", "page.html", "empty.zip", "folder"])
def test_what_is_no_archive_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "page.html").write_text("<!doctype html>")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadRequestError, match=name):
        read(tmp_path / name)


def test_an_archive_without_an_account_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadRequestError, match=r"account\.js"):
        read(archive(tmp_path / "a.zip", [archived(11, "One")], account=None))


def test_a_long_file_takes_little_memory() -> None:
    written = json.dumps(archived(11, "Words " * 40))

    class Long(io.TextIOBase):
        left = 20_000  # objects, ten megabytes

        def read(self, _size: int | None = -1) -> str:
            self.left -= 100
            return (written + ",") * 100 if self.left >= 0 else ""

    tracemalloc.start()
    count = sum(1 for _ in objects_in(Long(), "tweets.js"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert most < 2_000_000
