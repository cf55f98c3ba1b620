"""The sample world: who posts there, what was posted, and what comes next."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.demo.portal import ENTRIES, PORTAL, RETWEETS
from aggregator.demo.texts import TEXTS, Text

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_TEXT = 280  # characters; what is longer has its whole in a note
LONGEST_RETWEET = 140  # characters of "RT @author: ..."

_X_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # ids count milliseconds from here
_HELD_AT_START = 25
_T_CO = re.compile(r"https?://t\.co/\w+")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the X-shaped API."""

    id: str
    username: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a post or article carries."""

    key: str  # of X's form: a type, an underscore, a number
    name: str  # below /media/
    alt: str


@dataclass(frozen=True, slots=True)
class Post:
    """A post as it was written: not escaped, links already t.co."""

    id: int
    author: str  # user id
    text: str
    lang: str
    created: datetime
    references: tuple[tuple[str, int], ...] = ()
    links: tuple[tuple[str, str], ...] = ()  # t.co address, path below the site or absolute address
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Article:
    """An entry of the news feed."""

    name: str
    title: str | None
    text: str
    lang: str
    published: datetime | None
    author: str | None = None
    picture: Picture | None = None
    is_sample: bool = True


def _accounts() -> tuple[Account, ...]:
    told = [(PORTAL, PORTAL, "The portal's account. Its retweets of 2014 are from the page; the rest is sample.")]
    told += [(retweet.author, retweet.author, "Known here only by its handle.") for retweet in RETWEETS]
    told += [
        ("sample_ministry", "Ministry of Data (sample)", "An invented ministry."),
        ("sample_citylab", "City Lab (sample)", "An invented city's laboratory."),
        ("sample_auditor", "Audit Office (sample)", "An invented audit office."),
        ("sample_youth", "Youth Panel (sample)", "An invented panel."),
    ]
    return tuple(
        Account(str(150_000_001 + number), username, name, description)
        for number, (username, name, description) in enumerate(told)
    )


class World:
    """Everything that the sample upstream serves. Thread-safe: `publish` may run beside the server."""

    def __init__(self, clock: Callable[[], datetime], seed: int = 0) -> None:
        self.accounts = {account.id: account for account in _accounts()}
        self.by_username = {account.username.casefold(): account for account in self.accounts.values()}
        self.posts: tuple[Post, ...] = ()  # oldest first
        self.articles: tuple[Article, ...] = ()  # newest first
        self.began = clock()
        self.changed = self.began  # when the news last changed
        self._clock = clock
        self._chance = random.Random(seed)  # noqa: S311  # for variety only
        self._texts = self._chance.sample(TEXTS, len(TEXTS))  # so that languages and kinds of item mix
        self._lock = threading.Lock()
        self._count = 0
        self._fill()

    def publish(self, at: datetime | None = None) -> Post | Article:
        """Add the next sample item, dated now unless told otherwise, and return it."""
        with self._lock:
            number = self._count
            self._count += 1
            text = self._texts[number % len(self._texts)]
            moment = at or self._clock()
            posts = (self._post, self._retweet, self._quote, self._picture, self._reply)
            make = self._article if number % 2 else posts[number // 2 % len(posts)]
            return make(text, number, moment)

    def timeline(self, user_id: str) -> list[Post]:
        """Return an account's posts, newest first."""
        return [post for post in reversed(self.posts) if post.author == user_id]

    def post(self, post_id: int) -> Post | None:
        """Return a post by its id."""
        return next((post for post in self.posts if post.id == post_id), None)

    def _fill(self) -> None:
        for retweet in RETWEETS:
            author = self.by_username[retweet.author.casefold()]
            links = tuple((found, found) for found in _T_CO.findall(retweet.body))  # where they led is not known
            original = self._add(author, retweet.body, "en", retweet.posted - timedelta(minutes=30), links=links)
            self._pass_on(original, retweet.posted)
        self.articles = tuple(
            Article(entry.name, entry.title, entry.text, "en", entry.posted, is_sample=False) for entry in ENTRIES
        )
        for number in range(_HELD_AT_START):
            self.publish(self.began - timedelta(hours=3 * (_HELD_AT_START - number)))

    def _post(self, text: Text, number: int, at: datetime) -> Post:
        return self._linked(self._portal, text, number, at)

    def _article(self, text: Text, number: int, at: datetime) -> Article:
        picture = _picture(number, text) if number % 4 == 1 else None
        author = self._chance.choice(self._others)
        title = f"{text.title} (sample{_again(number)})"
        article = Article(f"sample-{number}", title, f"{text.sentence} (sample)", text.lang, at, author.name, picture)
        self.articles = (article, *self.articles)
        self.changed = at
        return article

    def _retweet(self, text: Text, number: int, at: datetime) -> Post:
        author = self._chance.choice(self._others)
        if number % 4:
            original = self._linked(author, text, number, at - timedelta(seconds=60))
        else:
            following = [self._texts[(number + step) % len(self._texts)] for step in range(1, 5)]
            words = " ".join(f"{told.title}: {told.sentence}" for told in (text, *following))
            body = f"A long sample post{_again(number)}. {words} #{text.tag} (sample)"
            original = self._add(author, body, "en", at - timedelta(seconds=60))
        return self._pass_on(original, at)

    def _quote(self, text: Text, number: int, at: datetime) -> Post:
        original = self._linked(self._chance.choice(self._others), text, number, at - timedelta(seconds=60))
        author = self.accounts[original.author]
        address = f"https://x.com/{author.username}/status/{original.id}"
        wrapped = f"https://t.co/q{number:09d}"
        words = f"Worth reading today{_again(number)}: #{text.tag} (sample) {wrapped}"
        return self._add(
            self._portal, words, "en", at, references=(("quoted", original.id),), links=((wrapped, address),)
        )

    def _picture(self, text: Text, number: int, at: datetime) -> Post:
        picture = _picture(number, text)
        wrapped = f"https://t.co/p{number:09d}"
        words = f"{text.title} 📷{_again(number)} #{text.tag} (sample) {wrapped}"
        return self._add(self._portal, words, text.lang, at, links=((wrapped, "photo"),), picture=picture)

    def _reply(self, text: Text, number: int, at: datetime) -> Post:
        asked = self._linked(self._chance.choice(self._others), text, number, at - timedelta(seconds=60))
        handle = self.accounts[asked.author].username
        words = f"@{handle} Thank you for “{text.title}”{_again(number)}, we pass it on. (sample)"
        return self._add(self._portal, words, "en", at, references=(("replied_to", asked.id),))

    def _linked(self, author: Account, text: Text, number: int, at: datetime) -> Post:
        wrapped = f"https://t.co/s{number:09d}"
        words = f"{text.title}{_again(number)}. {text.sentence} #{text.tag} (sample) {wrapped}"
        return self._add(author, words, text.lang, at, links=((wrapped, f"/articles/sample-{number}"),))

    def _pass_on(self, original: Post, at: datetime) -> Post:
        words = f"RT @{self.accounts[original.author].username}: {original.text}"
        if len(words) > LONGEST_RETWEET:
            words = words[: LONGEST_RETWEET - 1] + "…"
        return self._add(self._portal, words, original.lang, at, references=(("retweeted", original.id),))

    def _add(
        self,
        author: Account,
        text: str,
        lang: str,
        at: datetime,
        *,
        references: tuple[tuple[str, int], ...] = (),
        links: tuple[tuple[str, str], ...] = (),
        picture: Picture | None = None,
    ) -> Post:
        post = Post(self._next_id(at), author.id, text, lang, at, references, links, picture)
        self.posts = tuple(sorted((*self.posts, post), key=lambda held: held.id))
        return post

    def _next_id(self, at: datetime) -> int:
        """Return an id that orders by time; a second post of the same moment comes right after."""
        told = int((at - _X_EPOCH) / timedelta(milliseconds=1)) << 22
        taken = {post.id for post in self.posts}
        while told in taken:
            told += 1
        return told

    @property
    def _portal(self) -> Account:
        return self.by_username[PORTAL]

    @property
    def _others(self) -> list[Account]:
        return [account for account in self.accounts.values() if account.username.startswith("sample_")]


def _again(number: int) -> str:
    """Return what tells a text from its earlier use."""
    cycle = number // len(TEXTS)
    return f" no. {number}" if cycle else ""


def _picture(number: int, text: Text) -> Picture:
    return Picture(
        f"3_{1_500_000_000 + number}", f"sample-{number}.svg", f"A coloured pattern, sample picture: {text.title}"
    )
