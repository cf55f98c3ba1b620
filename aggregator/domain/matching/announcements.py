"""Find the same announcement among posts of one organization on several networks. Pure.

Only posts with the same words are the same announcement: numbers, names and hashtags distinguish two of them, and so
do links to different pages. Resemblance is not enough, since announcements of a series differ in a date only.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.activity import ActivityKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from aggregator.domain.activity import Content
    from aggregator.domain.organizations import Organizations

PREFIX = "announcement:"

_SHORTEST = 20  # letters and digits; shorter texts, such as greetings, return
_LONGEST = 5000  # characters
_MOST_MENTIONS = 50
_ADDRESS = re.compile(r"https?://\S+")
_LOOKS_LIKE_ADDRESS = re.compile(r"[^\s/]+\.[^\s/]+(?:/\S*)?…?")
_MENTION = re.compile(r"(?<![\w@/])@(\w[\w.-]*(?:@\w[\w.-]*)?)")
_HASH = re.compile(r"(?<!\w)#(?=\w)")
_SAME = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": " "})  # noqa: RUF001
_ENDS = " \n.:,;>→⬇👇🔗\ufe0f"


class Announcement(NamedTuple):
    """The announcement that a post makes."""

    key: str
    within: timedelta  # of the first post


class Member(NamedTuple):
    """A post that makes an announcement."""

    key: str
    network: str
    at: datetime
    natural: str  # the key of the story that it is part of without others: the page that it links to, or itself


def announcement_of(content: Content, organizations: Organizations) -> Announcement | None:
    """Return the announcement of a post; None: it is no post of a declared account, or too short."""
    if content.kind is not ActivityKind.POST or content.actor is None or not organizations:
        return None
    organization = organizations.of_actor(content.actor)
    if organization is None:
        return None
    words = _words(content, organizations)
    if sum(map(str.isalnum, words)) < _SHORTEST:
        return None
    digest = hashlib.sha256(f"{organization.slug}\n{words}".encode("utf-8", "surrogatepass")).hexdigest()
    return Announcement(f"{PREFIX}{digest[:32]}", organization.within)


def stories_of(announcement: Announcement, members: Iterable[Member]) -> Mapping[str, str]:
    """Return the story of each post by its key; the order in which they were found makes no difference.

    Posts are one story if they are on different networks, within the announcement's time, and don't link to different
    pages. A page that one of them links to is the story of all.
    """
    unique = {member.key: member for member in members}
    groups: list[list[Member]] = []
    for member in sorted(unique.values(), key=lambda member: (member.at, member.key)):
        fitting = (group for group in groups if _fits(member, group, announcement.within))
        group = next(fitting, None)
        if group is None:
            groups.append([member])
        else:
            group.append(member)
    return {member.key: _story(announcement, group) for group in groups for member in group}


def _fits(member: Member, group: Sequence[Member], within: timedelta) -> bool:
    pages = {page for other in (*group, member) if (page := _page(other)) is not None}
    same_network = any(other.network == member.network for other in group)
    return not same_network and len(pages) <= 1 and member.at - group[0].at <= within


def _story(announcement: Announcement, group: Sequence[Member]) -> str:
    if len(group) == 1:
        return group[0].natural
    page = next(filter(None, map(_page, group)), None)
    first = hashlib.sha256(group[0].key.encode("utf-8", "surrogatepass")).hexdigest()
    return page or f"{announcement.key}:{first[:16]}"


def _page(member: Member) -> str | None:
    return member.natural if member.natural != member.key else None


def _words(content: Content, organizations: Organizations) -> str:
    """Return the words of a text in a form that is the same on every network."""
    text = content.text[:_LONGEST]
    for link in content.links:
        for address in (link.via, link.url, link.text):
            if address and (address is not link.text or _LOOKS_LIKE_ADDRESS.fullmatch(address)):
                text = text.replace(address, " ")
    text = unicodedata.normalize("NFKC", _ADDRESS.sub(" ", text)).translate(_SAME).casefold()
    declared = _declared(content, organizations)
    text = _MENTION.sub(lambda found: _mentioned(found[1], declared), text)
    return " ".join(_HASH.sub("", text).split()).strip(_ENDS)


def _declared(content: Content, organizations: Organizations) -> Mapping[str, str]:
    """Return the organizations that a text mentions, by the handles as they may be written in it."""
    names: dict[str, str] = {}
    for mention in content.mentions[:_MOST_MENTIONS]:
        if (found := organizations.of_handle(content.network, mention.handle)) is not None:
            handle = mention.handle.casefold()
            names |= {handle: found.slug, _own_part(handle): found.slug}
    return names


def _mentioned(handle: str, declared: Mapping[str, str]) -> str:
    """Return a mention in a form for all networks: the organization, or the handle without its server or domain."""
    name = handle.rstrip(".-")
    return f"@{declared.get(name) or _own_part(name)}{handle[len(name) :]}"


def _own_part(handle: str) -> str:
    return re.split("[@.]", handle)[0]
