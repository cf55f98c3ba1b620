"""Build account archives as X offers them for download."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = '[{"account": {"accountId": "7", "username": "desk_example", "accountDisplayName": "The desk"}}]'


def archived(number: int, text: str, **parts: Any) -> dict[str, Any]:
    """Return a post in the archive's format."""
    post = {
        "id_str": str(number),
        "full_text": text,
        "created_at": "Sat Jan 06 12:00:00 +0000 2024",
        "lang": "en",
        "entities": {"urls": [], "hashtags": [], "user_mentions": [], "symbols": []},
        **parts,
    }
    return {"tweet": post}


def script(name: str, items: list[dict[str, Any]] | str) -> str:
    """Return a file of the archive."""
    return f"window.YTD.{name}.part0 = {items if isinstance(items, str) else json.dumps(items, indent=2)}\n"


def archive(path: Path, *parts: list[dict[str, Any]] | str, account: str | None = ACCOUNT) -> Path:
    """Write an archive with a file for each list of posts."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        if account is not None:
            file.writestr("data/account.js", script("account", account))
        for number, items in enumerate(parts):
            name = f"data/tweets-part{number}.js" if number else "data/tweets.js"
            file.writestr(name, script("tweets", items))
        file.writestr("data/deleted-tweets.js", script("deleted_tweets", [archived(1, "Deleted long ago")]))
        file.writestr("data/tweets_media/7-picture.jpg", b"\xff\xd8\xff")
    return path
