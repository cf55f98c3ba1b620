"""Simulate the sample world: its accounts, its posts and articles, and the next item."""

from __future__ import annotations

import random
import re
import threading
from bisect import insort
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.demo.portal import ENTRIES, PORTAL, RETWEETS
from aggregator.demo.texts import TEXTS, Text

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_TEXT = 280  # characters; a longer text is stored in full in a note
LONGEST_RETWEET = 140  # characters of the text after "RT @author: "

_X_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # ids count milliseconds from this instant
_HELD_AT_START = 25
_FIRST_ACCOUNT = 150_000_001
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
    """A picture of a post or article."""

    key: str  # in X's format: a type, an underscore, a number
    name: str  # file name below /media/
    alt: str


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
    history: tuple[int, ...] = ()  # ids of all its versions, oldest first; empty if it was never edited
    withheld: tuple[str, ...] = ()  # countries in which it is withheld

    @property
    def first(self) -> int:
        """The id of its first version."""
        return self.history[0] if self.history else self.id


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
    film: bool = False


@dataclass(frozen=True, slots=True)
class SiteEvent:
    """An event of the site's calendar."""

    name: str
    title: str
    announced: datetime
    picture: Picture

    @property
    def day(self) -> date:
        """The day of the event."""
        return (self.announced + timedelta(days=7)).date()


def _accounts() -> tuple[Account, ...]:
    rows = [(PORTAL, PORTAL, "The portal's account. Its retweets of 2014 are from the page; the rest is sample.")]
    rows += [(retweet.author, retweet.author, "Known here only by its handle.") for retweet in RETWEETS]
    rows += [
        ("sample_ministry", "Ministry of Data (sample)", "An invented ministry."),
        ("sample_citylab", "City Lab (sample)", "An invented city's laboratory."),
        ("sample_auditor", "Audit Office (sample)", "An invented audit office."),
        ("sample_youth", "Youth Panel (sample)", "An invented panel."),
    ]
    return tuple(
        Account(str(_FIRST_ACCOUNT + number), username, name, description)
        for number, (username, name, description) in enumerate(rows)
    )


class World:
    """All content of the sample upstream. Thread-safe: its methods may run while the server does.

    `empty` omits the portal's page, the sample texts and their authors.
    """

    def __init__(self, clock: Callable[[], datetime], seed: int = 0, *, empty: bool = False) -> None:
        self.accounts: dict[str, Account] = {}
        self.by_username: dict[str, Account] = {}
        self.restricted: dict[str, str] = {}  # user id -> "protected", "suspended" or "deactivated"
        self.deleted: set[int] = set()  # ids of posts, all versions
        self.articles: tuple[Article, ...] = ()  # newest first
        self.began = clock()
        self.changed = self.began  # time of the last change of the news
        self._posts: dict[int, Post] = {}
        self._timelines: dict[str, list[int]] = {}  # user id -> ids of newest versions, oldest first
        self._clock = clock
        self._chance = random.Random(seed)  # noqa: S311  # for variety only
        self._texts = self._chance.sample(TEXTS, len(TEXTS))  # mixes languages and kinds of item
        self._lock = threading.RLock()
        self._count = 0
        if not empty:
            for account in _accounts():
                self._settle(account)
            self._fill()

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
        return tuple(self._posts[id_] for id_ in sorted(self._posts))

    # Actions of users

    def add_account(self, username: str, name: str | None = None, description: str = "") -> Account:
        """Add an account."""
        with self._lock:
            account = Account(str(_FIRST_ACCOUNT + len(self.accounts)), username, name or username, description)
            self._settle(account)
            return account

    def rename(self, account: Account, username: str) -> Account:
        """Change an account's handle; the old one becomes available."""
        with self._lock:
            self.by_username.pop(account.username.casefold(), None)
            renamed = replace(account, username=username)
            self._settle(renamed)
            return renamed

    def restrict(self, account: Account, how: str) -> None:
        """Protect, suspend or deactivate an account ("protected", ...); "" reverts that."""
        with self._lock:
            self.restricted.pop(account.id, None)
            if how:
                self.restricted[account.id] = how

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
        """Publish a post of an account."""
        with self._lock:
            return self._add(
                account, text, lang, at or self._clock(), references=references, links=links, picture=picture
            )

    def repost(self, account: Account, original: Post, at: datetime | None = None) -> Post:
        """Repost a post from an account."""
        with self._lock:
            return self._pass_on(original, at or self._clock(), account)

    def edit(self, post: Post, text: str, at: datetime | None = None) -> Post:
        """Publish a new version of a post with its own id; timelines return only the newest version."""
        with self._lock:
            moment = at or self._clock()
            later = replace(post, id=self._next_id(moment), text=text, created=moment)
            history = (*(post.history or (post.id,)), later.id)
            for id_ in history[:-1]:
                self._posts[id_] = replace(self._posts[id_], history=history)
            self._timelines[post.author].remove(post.id)
            return self._keep(replace(later, history=history))

    def delete(self, post: Post) -> None:
        """Delete a post with all its versions, and its plain reposts."""
        with self._lock:
            versions = set(post.history or (post.id,))
            for other in list(self._posts.values()):
                if other.id in versions or any(
                    kind == "retweeted" and id_ in versions for kind, id_ in other.references
                ):
                    self._posts.pop(other.id)
                    self.deleted.add(other.id)
                    if other.id in self._timelines[other.author]:
                        self._timelines[other.author].remove(other.id)

    def withhold(self, post: Post, countries: tuple[str, ...]) -> None:
        """Withhold a post in some countries; "XX" means all of them."""
        with self._lock:
            self._posts[post.id] = replace(self._posts[post.id], withheld=countries)

    def publish(self, at: datetime | None = None) -> Post | Article:
        """Publish the next sample item and return it; its time defaults to now."""
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
        with self._lock:
            return [self._posts[id_] for id_ in reversed(self._timelines.get(user_id, ()))]

    def post(self, post_id: int) -> Post | None:
        """Return a post by the id of any of its versions."""
        return self._posts.get(post_id)

    def fate(self, post_id: int) -> str | None:
        """Return why a post is hidden: "deleted", "protected", "suspended", "deactivated"; None if it is visible."""
        post = self._posts.get(post_id)
        return "deleted" if post is None else self.restricted.get(post.author)

    def _fill(self) -> None:
        for retweet in RETWEETS:
            author = self.by_username[retweet.author.casefold()]
            links = tuple((found, found) for found in _T_CO.findall(retweet.body))  # with unknown targets
            original = self._add(author, retweet.body, "en", retweet.posted - timedelta(minutes=30), links=links)
            self._pass_on(original, retweet.posted)
        self.articles = tuple(
            Article(entry.name, entry.title, entry.text, "en", entry.posted, is_sample=False, film=entry.film)
            for entry in ENTRIES
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
            words = " ".join(f"{article.title}: {article.sentence}" for article in (text, *following))
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
        question = self._linked(self._chance.choice(self._others), text, number, at - timedelta(seconds=60))
        handle = self.accounts[question.author].username
        words = f"@{handle} Thank you for “{text.title}”{_again(number)}, we pass it on. (sample)"
        return self._add(self._portal, words, "en", at, references=(("replied_to", question.id),))

    def _linked(self, author: Account, text: Text, number: int, at: datetime) -> Post:
        wrapped = f"https://t.co/s{number:09d}"
        words = f"{text.title}{_again(number)}. {text.sentence} #{text.tag} (sample) {wrapped}"
        return self._add(author, words, text.lang, at, links=((wrapped, f"/articles/sample-{number}"),))

    def _pass_on(self, original: Post, at: datetime, by: Account | None = None) -> Post:
        words = f"RT @{self.accounts[original.author].username}: {original.text}"
        if len(words) > LONGEST_RETWEET:
            words = words[: LONGEST_RETWEET - 1] + "…"
        return self._add(by or self._portal, words, original.lang, at, references=(("retweeted", original.id),))

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
        return self._keep(Post(self._next_id(at), author.id, text, lang, at, references, links, picture))

    def _keep(self, post: Post) -> Post:
        self._posts[post.id] = post
        insort(self._timelines.setdefault(post.author, []), post.id)
        return post

    def _settle(self, account: Account) -> None:
        self.accounts[account.id] = account
        self.by_username[account.username.casefold()] = account

    def _next_id(self, at: datetime) -> int:
        """Return an id that orders by time; ids of the same instant are consecutive."""
        snowflake = int((at - _X_EPOCH) / timedelta(milliseconds=1)) << 22
        while snowflake in self._posts or snowflake in self.deleted:
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
        f"3_{1_500_000_000 + number}", f"sample-{number}.svg", f"A coloured pattern, sample picture: {text.title}"
    )
