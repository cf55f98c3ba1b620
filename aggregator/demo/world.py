"""Simulate the sample world: its accounts, its posts and articles, and the next item."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.demo.articles import Article, Picture, SiteEvent
from aggregator.demo.portal import ENTRIES, PORTAL, RETWEETS
from aggregator.demo.social_posts import SocialPosts
from aggregator.demo.texts import TEXTS, Text

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_TEXT = 280  # characters; a longer text is stored in full in a note
LONGEST_RETWEET = 140  # characters of the text after "RT @author: "

_X_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # ids count milliseconds from this instant
_HELD_AT_START = 25
_FIRST_ACCOUNT = 150_000_001
_T_CO = re.compile(r"https?://t\.co/\w+")
_SAMPLE_ACCOUNTS = (
    ("sample_ministry", "Ministry of Data (sample)"),
    ("sample_citylab", "City Lab (sample)"),
    ("sample_auditor", "Audit Office (sample)"),
    ("sample_youth", "Youth Panel (sample)"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the X-shaped API."""

    id: str
    username: str
    name: str


@dataclass(frozen=True, slots=True)
class Post:
    """A post as written: not escaped, with t.co links."""

    id: int
    author: str  # user id
    text: str
    lang: str
    created: datetime
    references: tuple[tuple[str, int], ...] = ()
    links: tuple[tuple[str, str], ...] = ()  # t.co address, with a path below the site or an absolute URL
    picture: Picture | None = None


class World:
    """All content of the sample upstream; empty until `fill` adds the portal's page and the sample items.

    Thread-safe: its methods may run while the server does.
    """

    def __init__(self, clock: Callable[[], datetime], seed: int = 0) -> None:
        self.clock = clock
        self.accounts: dict[str, Account] = {}
        self.by_username: dict[str, Account] = {}
        self.articles: tuple[Article, ...] = ()  # newest first
        self.began = clock()
        self.changed = self.began  # time of the last change of the news
        self._posts: dict[int, Post] = {}
        self._chance = random.Random(seed)  # noqa: S311  # for variety only
        self._texts = self._chance.sample(TEXTS, len(TEXTS))  # mixes languages and kinds of item
        self._lock = threading.RLock()
        self._count = 0
        self.social = SocialPosts(self)

    @property
    def site_events(self) -> tuple[SiteEvent, ...]:
        """Return the site's events, the last announced first: presentations of sample articles a week later."""
        return tuple(
            SiteEvent(article.name, article.title or "", article.published, article.picture)
            for article in self.articles
            if article.is_sample and article.picture and article.published
        )

    @property
    def posts(self) -> tuple[Post, ...]:
        """Return every post, oldest first."""
        with self._lock:
            return tuple(self._posts[id_] for id_ in sorted(self._posts))

    def fill(self) -> None:
        """Add the portal's page, the sample accounts, and the first sample items."""
        for username in (PORTAL, *(retweet.author for retweet in RETWEETS)):
            self.add_account(username)
        for username, name in _SAMPLE_ACCOUNTS:
            self.add_account(username, name)
        for retweet in RETWEETS:
            links = tuple((found, found) for found in _T_CO.findall(retweet.body))  # with unknown targets
            author = self.by_username[retweet.author.casefold()]
            original = self.write(author, retweet.body, retweet.posted - timedelta(minutes=30), links=links)
            self.repost(self._portal, original, retweet.posted)
        self.articles = tuple(
            Article(entry.name, entry.title, entry.text, "en", entry.posted, is_sample=False, film=entry.film)
            for entry in ENTRIES
        )
        self.social.fill()
        for number in range(_HELD_AT_START):
            self.publish(self.began - timedelta(hours=3 * (_HELD_AT_START - number)))

    def add_account(self, username: str, name: str | None = None) -> Account:
        """Add an account."""
        with self._lock:
            account = Account(str(_FIRST_ACCOUNT + len(self.accounts)), username, name or username)
            self.accounts[account.id] = self.by_username[username.casefold()] = account
            return account

    def write(
        self,
        account: Account,
        text: str,
        at: datetime | None = None,
        *,
        references: tuple[tuple[str, int], ...] = (),
        links: tuple[tuple[str, str], ...] = (),
        picture: Picture | None = None,
        lang: str = "en",
    ) -> Post:
        """Publish a post of an account; its time defaults to now."""
        with self._lock:
            moment = at or self.clock()
            post = Post(self._next_id(moment), account.id, text, lang, moment, references, links, picture)
            self._posts[post.id] = post
            return post

    def repost(self, account: Account, original: Post, at: datetime | None = None) -> Post:
        """Repost a post from an account."""
        words = f"RT @{self.accounts[original.author].username}: {original.text}"
        if len(words) > LONGEST_RETWEET:
            words = words[: LONGEST_RETWEET - 1] + "…"
        return self.write(account, words, at, references=(("retweeted", original.id),), lang=original.lang)

    def publish(self, at: datetime | None = None) -> Post | Article:
        """Publish the next sample item and return it; its time defaults to now."""
        with self._lock:
            number = self._count
            self._count += 1
            text = self._texts[number % len(self._texts)]
            moment = at or self.clock()
            posts = (self._post, self._retweet, self._quote, self._picture, self._reply)
            make = self._article if number % 2 else posts[number // 2 % len(posts)]
            item = make(text, number, moment)
            self.social.follow(item, moment)
            return item

    def timeline(self, user_id: str) -> list[Post]:
        """Return an account's posts, newest first."""
        with self._lock:
            ids = [post.id for post in self._posts.values() if post.author == user_id]
            return [self._posts[id_] for id_ in sorted(ids, reverse=True)]

    def post(self, post_id: int) -> Post | None:
        """Return a post by its id."""
        return self._posts.get(post_id)

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
            words = " ".join(f"{article.title}: {article.sentence}" for article in (text, *following))
            body = f"A long sample post{_again(number)}. {words} #{text.tag} (sample)"
            original = self.write(author, body, at - timedelta(seconds=60))
        return self.repost(self._portal, original, at)

    def _quote(self, text: Text, number: int, at: datetime) -> Post:
        original = self._linked(self._chance.choice(self._others), text, number, at - timedelta(seconds=60))
        author = self.accounts[original.author]
        address = f"https://x.com/{author.username}/status/{original.id}"
        wrapped = f"https://t.co/q{number:09d}"
        words = f"Worth reading today{_again(number)}: #{text.tag} (sample) {wrapped}"
        return self.write(self._portal, words, at, references=(("quoted", original.id),), links=((wrapped, address),))

    def _picture(self, text: Text, number: int, at: datetime) -> Post:
        picture = _picture(number, text)
        wrapped = f"https://t.co/p{number:09d}"
        words = f"{text.title} 📷{_again(number)} #{text.tag} (sample) {wrapped}"
        return self.write(self._portal, words, at, links=((wrapped, "photo"),), picture=picture, lang=text.lang)

    def _reply(self, text: Text, number: int, at: datetime) -> Post:
        question = self._linked(self._chance.choice(self._others), text, number, at - timedelta(seconds=60))
        handle = self.accounts[question.author].username
        words = f"@{handle} Thank you for “{text.title}”{_again(number)}, we pass it on. (sample)"
        return self.write(self._portal, words, at, references=(("replied_to", question.id),))

    def _linked(self, author: Account, text: Text, number: int, at: datetime) -> Post:
        wrapped = f"https://t.co/s{number:09d}"
        words = f"{text.title}{_again(number)}. {text.sentence} #{text.tag} (sample) {wrapped}"
        return self.write(author, words, at, links=((wrapped, f"/articles/sample-{number}"),), lang=text.lang)

    def _next_id(self, at: datetime) -> int:
        """Return an id that orders by time; ids of the same instant are consecutive."""
        snowflake = int((at - _X_EPOCH) / timedelta(milliseconds=1)) << 22
        while snowflake in self._posts:
            snowflake += 1
        return snowflake

    @property
    def _portal(self) -> Account:
        return self.by_username[PORTAL]

    @property
    def _others(self) -> list[Account]:
        return [account for account in self.accounts.values() if account.username.startswith("sample_")]


def _again(number: int) -> str:
    """Return a suffix that distinguishes a reused text from its earlier use."""
    cycle = number // len(TEXTS)
    return f" no. {number}" if cycle else ""


def _picture(number: int, text: Text) -> Picture:
    return Picture(
        f"3_{1_500_000_000 + number}", f"sample-{number}.png", f"A coloured pattern, sample picture: {text.title}"
    )
