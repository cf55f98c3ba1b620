"""Generate odd feeds, as publishers write them: each document is a function of its number."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from tests.feed_words import ADDRESSES, BODIES, CHAPTERS, DATES, LICENCE, NAMESPACES, TWISTS, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable


class Writer:
    """Writes one document."""

    def __init__(self, seed: int) -> None:
        self.r = Random(seed)
        self.hostile = self.r.random() < 0.25  # adds rare constructs

    def chance(self, share: float) -> bool:
        return self.r.random() < share

    def words(self) -> str:
        return " ".join(self.r.choices(WORDS, k=self.r.randint(1, 5)))

    def text(self, value: str) -> str:
        """Write text in one of XML's notations for it."""
        if self.chance(0.3) and "]]>" not in value:
            return f"<![CDATA[{value}]]>"
        written = escape(value)
        if self.chance(0.1):
            written = "".join(f"&#{ord(char)};" if ord(char) > 126 else char for char in written)
        if self.chance(0.05):
            written = written[: len(written) // 2].rpartition("&")[0] + "<!-- a comment -->" + written
        return f"\n  {written}  " if self.chance(0.15) else written

    def element(self, name: str, value: str | None = None, **attributes: str) -> str:
        written = "".join(f" {key.replace('__', ':')}={quoteattr(text)}" for key, text in attributes.items())
        if self.hostile and self.chance(0.03):
            written += self.r.choice(
                [' xml:lang="de-AT"', ' lang="pt_BR"', ' odd:x="1"', ' xml:lang=""', ' xml:base="b/"']
            )
        if value is None:
            return f"<{name}{written}/>" if self.chance(0.8) else f"<{name}{written}></{name}>"
        return f"<{name}{written}>{value}</{name}>"

    def text_element(self, name: str, value: str, **attributes: str) -> str:
        return self.element(name, self.text(value), **attributes)

    def some(self, parts: list[Callable[[], str]], share: float = 0.5) -> str:
        """Write some of the parts, sometimes reordered or repeated."""
        chosen = [part for part in parts if self.chance(share)]
        if self.chance(0.5):
            self.r.shuffle(chosen)
        if self.hostile and chosen and self.chance(0.2):
            chosen.append(self.r.choice(chosen))
        return "\n".join(part() for part in chosen)

    def address(self) -> str:
        return self.r.choice(ADDRESSES) if self.chance(0.4) else f"https://news.example/{self.r.randrange(10**6)}"

    def date(self) -> str:
        return self.r.choice(DATES) if self.chance(0.4) else self.r.choice(DATES[:4] + DATES[11:14])

    def body(self) -> str:
        return (
            self.r.choice(BODIES) if self.chance(0.6) else f"<p>{escape(self.words())}</p><p>{escape(self.words())}</p>"
        )

    def author(self) -> str:
        names = [
            "Ann Lee",
            "ann@news.example (Ann Lee)",
            "Ann Lee <ann@news.example>",
            "ann@news.example",
            "",
            "Ö. (é)",
        ]
        return self.r.choice(names)

    def xhtml(self) -> str:
        inner = self.r.choice(
            [
                '<p>One <a href="x.html" title="a &quot;b&quot; &lt;c&gt;">é &amp; 1 &lt; 2</a></p>',
                "<div><p>Nested</p></div>",
                "<br/><img src='i.png' alt=''/>text",
                "just text",
                "<P CLASS='x'>Upper</P>",
                "",
            ]
        )
        outer = self.r.choice(["<div xmlns='http://www.w3.org/1999/xhtml'>%s</div>"] * 4 + ["%s"] * self.hostile)
        more = "<div xmlns='http://www.w3.org/1999/xhtml'>second</div>" if self.hostile and self.chance(0.2) else ""
        return outer % inner + more

    def media(self) -> str:
        inner = self.some(
            [
                lambda: self.text_element("media:description", self.words(), type=self.r.choice(["plain", "html"])),
                lambda: self.text_element("media:title", self.words()),
                lambda: self.element("media:thumbnail", url=self.address(), width="10", height="x"),
                lambda: self.text_element("media:rating", "nonadult", scheme="urn:simple"),
                lambda: self.text_element("media:keywords", "a, b,,c"),
                lambda: self.text_element("media:credit", "Ann", role="author"),
            ],
            0.4,
        )
        content = self.element(
            "media:content", inner, url=self.address(), type=self.r.choice(["image/JPEG", "video/mp4", ""]),
            medium=self.r.choice(["image", "video", "x"]), fileSize="12345", duration="61", isDefault="true",
        )  # fmt: skip
        group = self.some(
            [
                lambda: content,
                lambda: self.text_element("media:title", self.words()),
                lambda: self.text_element("media:description", self.body()),
                lambda: self.element("media:thumbnail", url=self.address()),
                lambda: self.text_element("media:category", "cat", label="Cat"),
            ]
        )
        return self.r.choice([content, content + content, f"<media:group>{group}</media:group>", group])

    def extras(self) -> list[Callable[[], str]]:
        """Return writers of elements that entries of any format may have."""
        return [
            lambda: self.text_element("dc:creator", self.author()),
            lambda: self.text_element("dc:date", self.date()),
            lambda: self.text_element("dc:subject", self.words()),
            lambda: self.text_element("dcterms:modified", self.date()),
            lambda: self.text_element("itunes:duration", self.r.choice(["61", "1:01", "soon"])),
            lambda: self.element("itunes:image", href=self.address()),
            lambda: self.text_element("itunes:author", self.author()),
            lambda: self.text_element("itunes:subtitle", self.words()),
            lambda: self.text_element("itunes:summary", self.body()),
            lambda: self.text_element("itunes:keywords", "x, y"),
            lambda: self.text_element("itunes:explicit", "no"),
            lambda: self.text_element("slash:comments", "3"),
            lambda: self.text_element("wfw:commentRss", self.address()),
            lambda: self.element("thr:in-reply-to", ref=self.address(), href=self.address()),
            lambda: self.text_element("thr:total", "4"),
            lambda: self.text_element("georss:point", "45.2 -71.9"),
            lambda: "<georss:where><gml:Point><gml:pos>45 -71</gml:pos></gml:Point></georss:where>",
            lambda: '<odd:thing a="1"><odd:inner>x</odd:inner>tail</odd:thing>',
            lambda: self.text_element("odd:leaf", self.words()),
            lambda: "<podcast:value><podcast:valueRecipient name='x'/></podcast:value>",
            self.media,
            self.media,
            *([self.rare] if self.hostile else []),
        ]

    def rare(self) -> str:
        return self.r.choice(
            [
                "<odd:box><title>inner</title></odd:box>",
                '<source url="http://other.example/f">Other</source>',
                "<image><url>https://news.example/i.png</url><title>I</title></image>",
                "<image>https://news.example/i.png</image>",
                "<title>again</title>",
                "<dc:title>other title</dc:title>",
                "<description><b>inline</b> markup</description>",
                "<abstract>about</abstract>",
                "<body xmlns='http://www.w3.org/1999/xhtml'><p>x</p></body>",
                "<svg xmlns='http://www.w3.org/2000/svg'><title>drawn</title></svg>",
                "<content:encoded type='image/png'>aGVsbG8=</content:encoded>",
                "<updated_parsed>x</updated_parsed>",
                "<links>x</links>",
                "<tags>a,b</tags>",
                "<x xmlns='urn:nowhere'>y</x>",
                "<name>nobody</name>",
                "<link rel='enclosure' href='e.mp3' type='audio/mpeg' length='5'/>",
                "<media:title>M</media:title><media:title>N</media:title>",
                "<itunes:category text='Arts'><itunes:category text='Design'/></itunes:category>",
                "<dc:contributor>Bo</dc:contributor>",
                "<created>2026-02-27T10:00:00Z</created>",
                "<comments>c.html</comments>",
                LICENCE,
                CHAPTERS,
            ]
        )

    def rss_item(self) -> str:
        parts: list[Callable[[], str]] = [
            lambda: self.text_element("title", self.words()),
            lambda: self.text_element("link", self.address()),
            lambda: self.text_element(
                "guid", self.address(), **self.r.choice([{}, {"isPermaLink": "false"}, {"isPermaLink": "true"}])
            ),
            lambda: self.text_element("pubDate", self.date()),
            lambda: self.text_element("description", self.body()),
            lambda: self.text_element("content:encoded", self.body()),
            lambda: self.text_element("author", self.author()),
            lambda: self.text_element("category", self.words(), **self.r.choice([{}, {"domain": "http://d.example/"}])),
            lambda: self.text_element("category", self.words()),
            lambda: self.element("enclosure", url=self.address(), length="12", type="audio/mpeg"),
            lambda: self.text_element("comments", self.address()),
        ]
        return f"<item>{self.some(parts, 0.7)}{self.some(self.extras(), 0.12)}</item>"

    def person(self, name: str) -> str:
        parts = [lambda: self.text_element("name", "Ann Lee"), lambda: self.text_element("uri", self.address())]
        mail = [lambda: self.text_element("email", "ann@news.example")] if self.chance(0.3) else []
        return self.element(name, self.some([*parts, *mail], 0.9))

    def atom_text(self, name: str) -> str:
        kind = self.r.choice(
            ["", "text", "html", "html", "html", "xhtml"] + ["text/html", "HTML", "text/x-odd"] * self.hostile
        )
        value = self.xhtml() if kind == "xhtml" else self.text(self.body() if kind else self.words())
        return self.element(name, value, **({"type": kind} if kind else {}))

    def atom_entry(self) -> str:
        parts: list[Callable[[], str]] = [
            lambda: self.atom_text("title"),
            lambda: self.text_element("id", self.address()),
            lambda: self.element(
                "link", href=self.address(), **self.r.choice([{}, {"rel": "alternate", "type": "text/html"}])
            ),
            lambda: self.element("link", href=self.address(), rel="enclosure", type="image/png", length="7"),
            lambda: self.element(
                "link", href=self.address(), rel=self.r.choice(["self", "related", "replies", "Alternate"])
            ),
            lambda: self.text_element("published", self.date()),
            lambda: self.text_element("updated", self.date()),
            lambda: self.person("author"),
            lambda: self.person("contributor"),
            lambda: self.element("category", term=self.words(), label="L"),
            lambda: self.atom_text("summary"),
            lambda: self.atom_text("content"),
            lambda: self.atom_text("rights"),
            lambda: "<source><id>s</id><title>From</title><updated>2026-01-01T00:00:00Z</updated></source>",
        ]
        base = ' xml:base="sub/"' if self.chance(0.1) else ""
        lang = ' xml:lang="fr"' if self.chance(0.1) else ""
        return f"<entry{base}{lang}>{self.some(parts, 0.6)}{self.some(self.extras(), 0.08)}</entry>"

    def rdf_item(self) -> str:
        parts: list[Callable[[], str]] = [
            lambda: self.text_element("title", self.words()),
            lambda: self.text_element("link", self.address()),
            lambda: self.text_element("description", self.body()),
            lambda: self.text_element("content:encoded", self.body()),
        ]
        about = f" rdf:about={quoteattr(self.address())}" if self.chance(0.9) else ""
        return f"<item{about}>{self.some(parts, 0.8)}{self.some(self.extras(), 0.12)}</item>"

    def channel(self) -> str:
        parts: list[Callable[[], str]] = [
            lambda: self.text_element("title", self.words()),
            lambda: self.text_element("link", self.address()),
            lambda: self.text_element("description", self.words()),
            lambda: self.text_element("language", "en_GB"),
            lambda: self.text_element("pubDate", self.date()),
            lambda: self.text_element("managingEditor", self.author()),
            lambda: self.text_element("dc:creator", self.author()),
            lambda: self.text_element("ttl", "60"),
            lambda: "<skipHours><hour>1</hour><hour>24</hour></skipHours><skipDays><day>Sunday</day></skipDays>",
            lambda: self.text_element("sy:updatePeriod", "hourly"),
            lambda: "<image><url>i.png</url><title>Logo</title><link>https://news.example/</link></image>",
            lambda: self.element("itunes:image", href=self.address()),
            lambda: (
                "<itunes:owner><itunes:name>Owner</itunes:name><itunes:email>o@n.example</itunes:email></itunes:owner>"
            ),
            lambda: self.text_element("itunes:author", self.author()),
            lambda: self.text_element("itunes:summary", self.words()),
            lambda: self.element("atom:link", href=self.address(), rel=self.r.choice(["self", "hub", "alternate"])),
            lambda: self.text_element("generator", "hand"),
            lambda: self.text_element("category", "news"),
            lambda: self.element("fh:complete"),
            *(
                [lambda: "<textInput><title>Search</title><name>q</name><link>s</link></textInput>", self.rare]
                * self.hostile
            ),
        ]
        return self.some(parts, 0.45)

    def declarations(self, *left_out: str) -> str:
        declared = {name: uri for name, uri in NAMESPACES.items() if name not in left_out}
        if self.hostile and self.chance(0.05):
            declared["dc"] = "urn:example:not-dublin-core"
        return "".join(f' xmlns:{name}="{uri}"' for name, uri in declared.items())

    def document(self) -> str:
        count = self.r.choice([0, 1, 2, 3, 5])
        kind = self.r.choice(["rss", "rss", "atom", "rdf"])
        if kind == "rss":
            items = "\n".join(self.rss_item() for _ in range(count))
            version = self.r.choice(["2.0", "0.91", "0.92", "2.0"])
            atom = ' xmlns:atom="http://www.w3.org/2005/Atom"'
            late = self.text_element("title", "late") if self.hostile and self.chance(0.1) else ""
            inner = f"<channel>{self.channel()}{items}{late}</channel>"
            return f'<rss version="{version}"{self.declarations()}{atom}>{inner}</rss>'
        if kind == "atom":
            head = self.some(
                [
                    lambda: self.atom_text("title"),
                    lambda: self.text_element("id", self.address()),
                    lambda: self.element("link", href=self.address()),
                    lambda: self.element("link", href=self.address(), rel="self"),
                    lambda: self.text_element("updated", self.date()),
                    lambda: self.person("author"),
                    lambda: self.text_element("icon", "/i.png"),
                    lambda: self.text_element("logo", "l.png"),
                    lambda: self.text_element("subtitle", self.words()),
                    lambda: self.element("link", href="/archive/1", rel="prev-archive"),
                ]
            )
            base = ' xml:base="https://base.example/x/"' if self.chance(0.4) else ""
            lang = ' xml:lang="de_CH"' if self.chance(0.4) else ""
            entries = "\n".join(self.atom_entry() for _ in range(count))
            return f'<feed xmlns="http://www.w3.org/2005/Atom"{self.declarations()}{base}{lang}>{head}{entries}</feed>'
        items = "\n".join(self.rdf_item() for _ in range(count))
        channel = f"<channel rdf:about='https://news.example/'>{self.channel()}</channel>".replace(
            "atom:link", "odd:link"
        )
        return (
            '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"'
            f"{self.declarations()}>{channel}{items}</rdf:RDF>"
        )


def feed(seed: int) -> tuple[bytes, str]:
    """Return a document and the content type it is sent with."""
    writer = Writer(seed)
    text = writer.document()
    if writer.hostile and writer.chance(0.3):
        pattern, other = writer.r.choice(TWISTS)
        text = re.sub(pattern, other, text)
    encoding, content_type = writer.r.choice(
        [("utf-8", "application/xml")] * 5
        + [("utf-8", "text/xml"), ("utf-8", ""), ("iso-8859-1", "text/xml; charset=iso-8859-1")]
        + [("windows-1252", "application/rss+xml"), ("utf-16", "application/xml"), ("utf-8-sig", "text/html")]
    )
    declared = writer.r.choice(["", f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'])
    if encoding in {"windows-1252", "utf-16"}:
        declared = f'<?xml version="1.0" encoding="{encoding}"?>'
    return f"{declared}\n{text}".lstrip().encode(encoding, "xmlcharrefreplace"), content_type


def broken(seed: int) -> tuple[bytes, str]:
    """Return a truncated document, or one with flipped bits."""
    random = Random(seed)
    body, content_type = feed(seed)
    if random.random() < 0.5:
        return body[: random.randrange(len(body))], content_type
    damaged = bytearray(body)
    for _ in range(random.randint(1, 4)):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged), content_type
