"""Test tags: whole, folded words in several languages, ambiguous names, and the stored word."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.domain.activity import BY_SOURCE, ActivityKind, Content, Original
from aggregator.domain.errors import ConfigurationError
from aggregator.domain.tagging.tagger import Tags
from aggregator.domain.tagging.vocabulary import Vocabulary

FOLDER = Path(__file__).parents[3] / "config"
PAGE = Path(__file__).parents[3] / "aggregator" / "demo" / "page_2014"
TABLE = "iso2,country,cohort,joined\nGH,Ghana,3,2013-04\nMX,Mexico,1,2011-09\n"
TOML = """
languages = ["en", "es"]
[topics.open-data]
label = "Open data"
order = 2
hashtags = ["DatosAbiertos"]
never = ["open data centre"]
[topics.open-data.labels]
es = "Datos abiertos"
[topics.open-data.keywords]
en = ["open data", "dataset{,s}"]
es = ["datos abiertos"]
[topics.audits]
label = "Audits"
order = 1
[topics.audits.keywords]
en = ["audit{,s}", "anti-corruption"]
[sources.ministry]
topics = ["audits"]
countries = ["GH"]
[cohorts]
1 = "The first"
[countries.GH]
also = ["black star land"]
"""


def vocabulary(toml: str = TOML, table: str = TABLE) -> Vocabulary:
    return Vocabulary.of(toml, table)


def tags(text: str, *, lang: str | None = None, source: str = "", title: str | None = None, tag: str = "") -> Tags:
    tagger = vocabulary().tagger
    assert tagger is not None
    hashtags = (tag,) if tag else ()
    return tagger.tags(
        Content(ActivityKind.POST, "x", text=text, title=title, lang=lang, hashtags=hashtags), None, source
    )


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("OPEN DATA for all", {"open-data": "OPEN DATA"}),
        ("Open-data!", {"open-data": "Open data"}),
        ("openly data", {}),
        ("Two datasets", {"open-data": "datasets"}),
        ("Datos ABIERTOS", {"open-data": "Datos ABIERTOS"}),
        ("A new open data centre", {}),
        ("Audits of open data", {"audits": "Audits", "open-data": "open data"}),
        ("Anti–corruption day", {"audits": "Anti corruption"}),  # noqa: RUF001
        ("see https://example.org/open/data and @open_data", {}),
    ],
)
def test_words_are_found_whole_and_folded(text: str, topics: dict[str, str]) -> None:
    assert tags(text).topics == topics


def test_a_language_that_is_known_takes_its_own_words_and_the_first_ones() -> None:
    assert tags("datos abiertos", lang="en").topics == {}
    assert tags("open data", lang="es-MX").topics == {"open-data": "open data"}
    assert tags("datos abiertos", lang="de").topics == {"open-data": "datos abiertos"}  # not a configured language


def test_hashtags_and_titles_count_and_what_is_reposted() -> None:
    tagger = vocabulary().tagger
    assert tagger is not None
    original = Original("x:1", "1", Content(ActivityKind.POST, "x", text="Ghana audits"))

    assert tags("", tag="datosabiertos").topics == {"open-data": "#datosabiertos"}
    assert tags("", title="An audit").topics == {"audits": "audit"}
    assert tags("", tag="Ghana").countries == {"GH": "Ghana"}
    reposted = tagger.tags(Content(ActivityKind.REPOST, "x"), original)
    assert (reposted.topics, reposted.countries) == ({"audits": "audits"}, {"GH": "Ghana"})


def test_what_a_source_is_always_about_needs_no_word() -> None:
    found = tags("Nothing", source="ministry")

    assert found == Tags({"audits": BY_SOURCE}, {"GH": BY_SOURCE})
    assert tags("An audit", source="ministry").topics == {"audits": "audit"}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Côte d'Ivoire and COTE D’IVOIRE", ["CI"]),  # noqa: RUF001
        ("Trinidad & Tobago", ["TT"]),
        ("The U.S. and the UK", ["US", "GB"]),
        ("black star land", ["GH"]),
        ("Papua New Guinea", ["PG"]),
        ("Guinea-Bissau, Guinea", ["GW", "GN"]),
        ("New Mexico", []),
        ("Mexico and New Mexico", ["MX"]),
        ("Michael Jordan", []),
        ("jordan", []),
        ("Officials in Jordan", ["JO"]),
        ("Jordan Smith said", []),
        ("Amman, Jordan", ["JO"]),
        ("Atlanta, Georgia", []),
        ("Tbilisi, Georgia", ["GE"]),
        ("Roast turkey", []),
        ("Turkey votes today", ["TR"]),
        ("#Turkey", ["TR"]),
        ("Niger is not Nigeria", ["NE", "NG"]),
    ],
)
def test_countries_are_told_from_what_is_called_alike(text: str, codes: list[str]) -> None:
    assert list(tags(text, lang="en").countries) == codes


def test_the_order_of_topics_and_the_cohorts_are_the_files() -> None:
    read = vocabulary()

    assert [topic.slug for topic in read.topics] == ["audits", "open-data"]
    assert read.topics[1].label_in("es-MX") == "Datos abiertos"
    assert read.topics[1].label_in("fr") == "Open data"
    assert read.cohorts == {"1": frozenset({"MX"}), "3": frozenset({"GH"})}
    assert read.cohort_names == {"1": "The first"}


@pytest.mark.parametrize(
    ("toml", "table", "sentence"),
    [
        ("languages = [", "", "Invalid TOML"),
        ("what = 1", "", "what: extra inputs are not permitted"),
        ("[topics.A]\nlabel = 'A'", "", "lowercase letters"),
        ("[topics.a]\nlabel = ''", "", "topics.a.label"),
        ("[topics.a]\nlabel = 'A'\nkeywords = {en = ['x{y']}", "", "braces"),
        ("[topics.a]\nlabel = 'A'\nkeywords = {en = ['?!']}", "", "no letters"),
        ("[topics.a]\nlabel = 'A'\nkeywords = {klingon = ['x']}", "", "not a known language"),
        ("[sources.s]\ntopics = ['b']", "", "no topic 'b'"),
        ("[sources.s]\ncountries = ['Ghana']", "", "two capitals"),
        ("[countries.Ghana]\nalso = []", "", "two capitals"),
        ("", "name\nGhana\n", "first line"),
        ("", "iso2,country\nGhana,x\n", "line 2"),
        ("", "iso2,country\nGH,x\nGH,y\n", "twice"),
        ("", "iso2,country,cohort\nGH,x,no way!\n", "cohort"),
        ("", "iso2,country,joined\nGH,x,soon\n", "joined"),
    ],
)
def test_broken_files_are_refused_in_a_sentence(toml: str, table: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Vocabulary.of(toml, table)


def test_the_sample_has_four_principles_and_sixty_three_countries() -> None:
    topics = (FOLDER / "topics.toml").read_text("utf-8") + "\n" + (PAGE / "cohorts.toml").read_text("utf-8")
    read = Vocabulary.of(topics, (PAGE / "countries.csv").read_text("utf-8"))

    assert [topic.label for topic in read.topics] == [
        "Accountability", "Technology & Innovation", "Citizen Participation", "Transparency",
    ]  # fmt: skip
    assert all(topic.definition.endswith(".") for topic in read.topics)
    assert {name: len(codes) for name, codes in read.cohorts.items()} == {"1": 8, "2": 38, "3": 8, "4": 9}
    assert len(read.participants) == 63
    assert set(read.cohort_names) == set(read.cohorts)


def test_a_huge_text_takes_no_more_than_a_large_one() -> None:
    found = tags("word " * 500_000 + "open data")

    assert found.topics == {}  # words after the first two thousand hardly indicate topics
