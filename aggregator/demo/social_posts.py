"""Write the posts of the sample Bluesky and the sample Mastodon: one of each kind at the start, and more later."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.demo.articles import Article, Picture
from aggregator.demo.portal import PORTAL
from aggregator.demo.social import Page, SocialNetwork
from aggregator.demo.texts import TEXTS

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.demo.social import Note
    from aggregator.demo.world import Post, World

ANNOUNCEMENT = (
    "Registration for the sample summit opens on 14 September, with travel grants for 40 people #OpenGov (sample)"
)

_OTHERS = ("sample_ministry", "sample_citylab", "sample_youth")
_PERIOD = 8  # sample items between two announcements of articles
_FOCUS = (-0.5, 0.4)


class SocialPosts:
    """What the portal and others post on the two networks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.bluesky = SocialNetwork(world.clock)
        self.mastodon = SocialNetwork(world.clock)
        self._count = 0
        self._deleted_later: list[tuple[SocialNetwork, Note]] = []

    def fill(self) -> None:
        """Write one post of each kind, within the last day."""
        for network in (self.bluesky, self.mastodon):
            network.add_accounts()
            self._start(network)
        self._fill_mastodon()
        self._announce_without_page(self._ago(20))

    def follow(self, item: Post | Article, at: datetime) -> None:
        """Post after a sample item was published: announce an article, or publish something else."""
        self._count += 1
        step = self._count % _PERIOD
        if step == 0 and isinstance(item, Article):
            self._announce(item, at)
        elif step in {2, 6}:
            for network in (self.bluesky, self.mastodon):
                self._next(network, self._count // 4, at)

    def _ago(self, minutes: int) -> datetime:
        return self._world.began - timedelta(minutes=minutes)

    def _start(self, network: SocialNetwork) -> None:
        pictures = (_picture(901, "Delegates around a table"), _picture(902, "A wall of paper notes"))
        network.write(
            PORTAL,
            "Two impressions of the sample workshop #OpenGov (sample)",
            self._ago(610),
            pictures=pictures,
            focus=_FOCUS,
        )
        original = network.write(
            "sample_citylab",
            "The city opened 214 datasets this year, from trees to traffic. Thanks to @opengovpart! #opendata (sample)",
            self._ago(545),
            page=Page("/articles/sample-datasets", "214 datasets", "What the city published this year (sample)"),
        )
        network.repost(PORTAL, original, self._ago(540))
        question = network.write("sample_youth", "Who reads the progress reports? (sample)", self._ago(485))
        quote = network.write(
            PORTAL, "Good question. We asked 40 members (sample):", self._ago(480), quoted=question.id
        )
        network.write(
            PORTAL, "The answers come on Friday, with the raw data. (sample)", self._ago(470), answered=quote.id
        )
        network.write(
            PORTAL,
            "صدر التقرير السنوي عن الحكومة المفتوحة اليوم (sample)",
            self._ago(300),
            lang="ar",
        )
        network.write(
            PORTAL,
            "The photographer says that this picture may upset people (sample)",
            self._ago(240),
            pictures=(_picture(903, "Damage after a flood, from above"),),
            warning="Disaster",
        )

    def _fill_mastodon(self) -> None:
        """Write what only Mastodon has."""
        poll = "Which chapter of the action plan should be discussed first? (sample)"
        options = ("Public spending", "Justice", "Participation", "Something else, see the replies")
        self.mastodon.write(PORTAL, poll, self._ago(180), options=options)
        corrected = self.mastodon.write(PORTAL, "The hearing begins at 10 (sample)", self._ago(120))
        self.mastodon.edit(corrected, "Correction: the hearing begins at 11 (sample)")

    def _announce_without_page(self, at: datetime) -> None:
        """Announce the same on three networks within minutes, without a link."""
        portal = self._world.by_username[PORTAL]
        self._world.write(portal, ANNOUNCEMENT, at)
        self.bluesky.write(PORTAL, ANNOUNCEMENT, at + timedelta(minutes=2))
        self.mastodon.write(PORTAL, ANNOUNCEMENT, at + timedelta(minutes=5))

    def _announce(self, article: Article, at: datetime) -> None:
        """Announce an article on three networks, each in its words."""
        title = f"{(article.title or '').partition(' (sample')[0]} (sample)"
        page = Page(f"/articles/{article.name}", title, article.text, article.picture)
        portal, wrapped = self._world.by_username[PORTAL], f"https://t.co/n{self._count:09d}"
        self._world.write(portal, f"New: {title} {wrapped}", at, links=((wrapped, page.path),), lang=article.lang)
        self.bluesky.write(PORTAL, f"Just published: {title}", at, page=page, lang=article.lang)
        self.mastodon.write(PORTAL, f"{title} #OpenGov", at, page=page, lang=article.lang)

    def _next(self, network: SocialNetwork, number: int, at: datetime) -> None:
        """Write, pass on, or delete something."""
        text = TEXTS[(7 * number + 3) % len(TEXTS)]
        words = f"{text.title}. {text.sentence} #{text.tag} no. {number} (sample)"
        if number % 3 == 1:
            note = network.write(_OTHERS[number % len(_OTHERS)], words, at, lang=text.lang)
            network.repost(PORTAL, note, at)
        else:
            note = network.write(PORTAL, words, at, lang=text.lang)
            self._deleted_later.append((network, note))
        due = [(where, old) for where, old in self._deleted_later[:-2] if where is network]
        for where, old in due[:1]:
            where.delete(old)
            self._deleted_later.remove((where, old))


def _picture(number: int, caption: str) -> Picture:
    return Picture(f"3_{1_500_000_000 + number}", f"sample-{number}.png", f"{caption} (sample picture)")
