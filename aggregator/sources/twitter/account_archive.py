"""Read an account's own archive download from X: `tweets.js` in a ZIP file, streamed and within bounds.

The files are JavaScript: `window.YTD.tweets.part0 = [...]` with objects in the format of the former API 1.1. They are
read object by object, since they may have hundreds of megabytes.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from aggregator.domain.errors import BadRequestError
from aggregator.sources.twitter.addresses import USER_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_POSTS = re.compile(r"(?:tweets?|tweets?-part\d{1,3})\.js")
_ACCOUNT = "account.js"
_MOST_FILES = 1_000_000  # in a ZIP file
_LARGEST_DIRECTORY = 100_000_000  # bytes of a ZIP file's list of files
_LARGEST_FILE = 4_000_000_000  # bytes of `tweets.js`, unpacked
_LARGEST_OBJECT = 2_000_000  # characters
_MOST_POSTS = 1_000_000
_CHUNK = 262_144  # characters
_SMALL_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class ArchivedAccount:
    """The account of an archive."""

    id: str
    username: str


@contextmanager
def opened(path: Path) -> Iterator[AccountArchive]:
    """Open an archive.

    Raises:
        BadRequestError: it is no archive of X, or exceeds a limit.
    """
    try:
        with _BoundedFile(path.open("rb", buffering=0)) as file:
            if not zipfile.is_zipfile(file):
                raise BadRequestError(f"{path.name} is no ZIP file; give the file that X offers for download.")
            with _directory_read(file, path.name) as archive:
                yield AccountArchive(archive, path.name)
    except OSError as error:
        raise BadRequestError(f"{path.name} can't be read: {error.strerror or error}.") from None
    # zipfile raises RuntimeErrors for encrypted files and for methods of compression that it lacks.
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        raise BadRequestError(f"{path.name} is damaged or encrypted: {error}.") from None


class AccountArchive:
    """An open archive."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive = archive
        self._name = name
        folders = ("", "data")
        named = {
            path.name: entry
            for entry in archive.infolist()
            if str((path := PurePosixPath(entry.filename)).parent).strip("./") in folders
        }
        self._posts = [named[name] for name in sorted(named) if _POSTS.fullmatch(name)]
        self._account = named.get(_ACCOUNT)

    def account(self) -> ArchivedAccount:
        """Return the account.

        Raises:
            BadRequestError: the archive names none.
        """
        for item in self._objects(self._account) if self._account is not None else ():
            account = item.get("account")
            if isinstance(account, dict) and USER_ID.fullmatch(str(account.get("accountId"))):
                return ArchivedAccount(str(account["accountId"]), str(account.get("username", "")))
        raise BadRequestError(f"{self._name} has no data/{_ACCOUNT} with the account's id; is it an archive of X?")

    def posts(self, *, reposts: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the posts in X's current format, in the order of the archive.

        An archive names the original of a repost by its cut text only: with `reposts`, they look like posts.

        Raises:
            BadRequestError: it has no posts, or exceeds a limit.
        """
        if not self._posts:
            raise BadRequestError(f"{self._name} has no data/tweets.js; is it an archive of X?")
        count = 0
        for entry in self._posts:
            for item in self._objects(entry):
                post = current_format(item.get("tweet", item), reposts=reposts)
                if post is None:
                    continue
                count += 1
                if count > _MOST_POSTS:
                    raise BadRequestError(f"{self._name} has more than {_MOST_POSTS:,} posts.")
                yield post

    def _objects(self, entry: zipfile.ZipInfo) -> Iterator[Mapping[str, Any]]:
        if entry.file_size > _LARGEST_FILE:
            raise BadRequestError(f"{entry.filename} in {self._name} has more than {_LARGEST_FILE:,} bytes.")
        with self._archive.open(entry) as file:
            yield from objects_in(io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace"), entry.filename)


def objects_in(text: io.TextIOBase, name: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of the list in a JavaScript file.

    Raises:
        BadRequestError: it is malformed, or an object exceeds the limit.
    """
    buffer, at, size = "", 0, 0
    while True:
        at = _next_object(buffer, at)
        found = _object_at(buffer, at, name)
        if found is not None:
            value, at = found
            if isinstance(value, dict):
                yield value
            continue
        buffer, at = buffer[at:], 0
        # As much again as is unread, so that a long object is decoded a few times only.
        chunk = text.read(max(_CHUNK, len(buffer)))
        size += len(chunk)
        if len(buffer) > _LARGEST_OBJECT or size > _LARGEST_FILE:
            raise BadRequestError(f"{name} is malformed, or has an object that is too long.")
        if not chunk:
            if buffer.strip(" \r\n\t];"):
                raise BadRequestError(f"{name} ends in the middle of an object.")
            return
        buffer += chunk


def _object_at(buffer: str, at: int, name: str) -> tuple[object, int] | None:
    """Decode the object at a position; return it with its end, or None if it is cut off."""
    if at == len(buffer):
        return None
    try:
        return _DECODER.raw_decode(buffer, at)
    except json.JSONDecodeError:
        return None
    except RecursionError:
        raise BadRequestError(f"{name} has an object that is nested too deeply.") from None
    except ValueError:
        raise BadRequestError(f"{name} has a number that is too long.") from None


_DECODER = json.JSONDecoder()
_BEFORE_OBJECT = re.compile(r"(?:\s*window\.YTD\.[\w.]{1,100}\s*=\s*)?\s*\[?[\s,]*")


def _next_object(buffer: str, at: int) -> int:
    """Return where the next object may begin: behind the assignment, commas and spaces."""
    match = _BEFORE_OBJECT.match(buffer, at)
    return match.end() if match else at


class _BoundedFile(io.BufferedReader):
    """A file that refuses to read more than the limit at once, as for a ZIP file's whole directory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LARGEST_DIRECTORY:
            raise BadRequestError(f"The ZIP file's list of files has more than {_LARGEST_DIRECTORY:,} bytes.")
        return super().read(size)


def _directory_read(file: _BoundedFile, name: str) -> zipfile.ZipFile:
    """Read the list of files of a ZIP file.

    Raises:
        BadRequestError: it is malformed, or too long.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (ValueError, struct.error) as error:  # such as names that are not UTF-8
        raise BadRequestError(f"{name} is damaged: {error}.") from None
    if len(archive.infolist()) > _MOST_FILES:
        archive.close()
        raise BadRequestError(f"{name} contains more than {_MOST_FILES:,} files.")
    return archive


def current_format(old: object, *, reposts: bool = False) -> dict[str, Any] | None:
    """Return an archived post in the format of X's API 2, or None; a repost only if `reposts` is set."""
    if not isinstance(old, dict) or not USER_ID.fullmatch(str(old.get("id_str"))):
        return None
    text = str(old.get("full_text") or old.get("text") or "")
    if not reposts and (text.startswith("RT @") or old.get("retweeted_status")):
        return None
    post: dict[str, Any] = {
        "id": str(old["id_str"]),
        "text": text,
        "lang": str(old.get("lang") or ""),
        "possibly_sensitive": old.get("possibly_sensitive") is True,
        "entities": _entities(old.get("entities")),
        "_media": [*_media(old)],
    }
    if (moment := _moment(old.get("created_at"))) is not None:
        post["created_at"] = moment
    if USER_ID.fullmatch(str(old.get("in_reply_to_status_id_str"))):
        post["referenced_tweets"] = [{"type": "replied_to", "id": str(old["in_reply_to_status_id_str"])}]
        post["in_reply_to_user_id"] = str(old.get("in_reply_to_user_id_str") or "")
    post["attachments"] = {"media_keys": [media["media_key"] for media in post["_media"]]}
    return post


def page_of(posts: list[dict[str, Any]], account: ArchivedAccount) -> dict[str, Any]:
    """Return posts as a page of X's API 2."""
    data = [{name: value for name, value in post.items() if name != "_media"} for post in posts]
    return {
        "data": [{**post, "author_id": account.id} for post in data],
        "includes": {"media": [media for post in posts for media in post["_media"]]},
        "meta": {"result_count": len(data)},
    }


def _moment(written: object) -> str | None:
    try:
        return datetime.strptime(str(written), "%a %b %d %H:%M:%S %z %Y").isoformat()
    except ValueError:
        return None


def _entities(old: object) -> dict[str, Any]:
    given: dict[str, Any] = old if isinstance(old, dict) else {}
    return {
        "urls": [
            {**span, "url": str(item.get("url")), "expanded_url": str(item.get("expanded_url") or item.get("url")),
             "display_url": str(item.get("display_url") or item.get("url"))}
            for item, span in (*_spans(given.get("urls")), *_spans(given.get("media")))
        ],
        "hashtags": [{**span, "tag": str(item.get("text"))} for item, span in _spans(given.get("hashtags"))],
        "mentions": [
            {**span, "username": str(item.get("screen_name")), "id": str(item.get("id_str") or "")}
            for item, span in _spans(given.get("user_mentions"))
        ],
    }  # fmt: skip


def _spans(items: object) -> Iterator[tuple[dict[str, Any], dict[str, int]]]:
    """Yield entities with their position in the text."""
    for item in items if isinstance(items, list) else []:
        indices = item.get("indices") if isinstance(item, dict) else None
        if isinstance(indices, list) and len(indices) == 2:  # noqa: PLR2004
            start, end = map(_number, indices)
            if start is not None and end is not None:
                yield item, {"start": start, "end": end}


def _number(value: object) -> int | None:
    """Return a number below a billion, which archives write as a text, too."""
    return int(str(value)) if isinstance(value, (str, int)) and _SMALL_NUMBER.fullmatch(str(value)) else None


def _media(old: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the media of a post, with their addresses at X."""
    extended = old.get("extended_entities")
    items = extended.get("media") if isinstance(extended, dict) else None
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict) or not USER_ID.fullmatch(str(item.get("id_str"))):
            continue
        kind, address = str(item.get("type")), str(item.get("media_url_https") or "")
        media: dict[str, Any] = {"media_key": f"3_{item['id_str']}", "type": kind}
        sizes = item.get("sizes")
        large = sizes.get("large") if isinstance(sizes, dict) else None
        for name, side in (("width", "w"), ("height", "h")):
            if isinstance(large, dict) and (pixels := _number(large.get(side))) is not None:
                media[name] = pixels
        if kind == "photo":
            yield {**media, "url": address}
        elif kind in {"video", "animated_gif"}:
            yield {**media, "preview_image_url": address, "variants": [*_variants(item.get("video_info"))]}


def _variants(info: object) -> Iterator[dict[str, Any]]:
    items = info.get("variants") if isinstance(info, dict) else None
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            rate = _number(item.get("bitrate"))
            known = {} if rate is None else {"bit_rate": rate}
            yield {"content_type": str(item.get("content_type")), "url": str(item.get("url")), **known}
