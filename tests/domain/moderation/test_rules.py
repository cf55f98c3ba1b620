"""Test rules: the fields of conditions, which rule decides, and invalid conditions."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Link,
    Media,
    NewActivity,
    Original,
    Poll,
    Review,
)
from aggregator.domain.errors import BadRequestError
from aggregator.domain.matching.near_duplicates import MinHashIndex
from aggregator.domain.moderation.conditions import (
    Condition,
    Facts,
    Field,
    Operator,
    Surroundings,
    compiled,
    described,
    facts_of,
)
from aggregator.domain.moderation.rules import Action, Rule, Rulebook, checked
from aggregator.domain.search_text import search_text
from tests.building import NOON, an_activity

CONTAINS, IS, STARTS, MATCHES = Operator.CONTAINS, Operator.IS, Operator.STARTS, Operator.MATCHES
ORIGINAL = an_activity(
    "o",
    title=None,
    text="Roulette for free",
    actor=Actor("x", "9", "Bets", "bets"),
    media=(Media("image", "https://p/1"),),
).content
SAID: dict[str, Any] = {
    "title": "The Café opens",
    "text": "Entrée libre au casino de la ville, C++ inclus 🎰",
    "actor": Actor("x", "1", "José Álvarez", "jose"),
    "url": "https://Sites.example/Path?promo=1",
    "links": (Link("https://casino.example/win"),),
    "hashtags": ("OpenGov", "Fête"),
    "lang": "fr-CA",
    "sensitive": False,
}


def facts(new: NewActivity | None = None, **changes: Any) -> Facts:
    activity = new or an_activity("1", **{**SAID, **changes})
    return facts_of(activity, search_text(activity.content, activity.object), "news", NOON)


def holds(condition: Condition, subject: Facts | None = None, around: Surroundings | None = None) -> bool:
    return compiled(condition)(subject or facts(), around or Surroundings({})) is not None


@pytest.mark.parametrize(
    ("field", "operator", "value", "expected"),
    [
        (Field.TEXT, CONTAINS, "CASINO", True),
        (Field.TEXT, CONTAINS, "entree libre", True),
        (Field.TEXT, CONTAINS, "casin", False),  # whole words
        (Field.TEXT, CONTAINS, "libre casino", False),  # that follow each other
        (Field.TEXT, CONTAINS, "cafe opens", True),  # the title, too
        (Field.TEXT, CONTAINS, "José", False),  # authors are a field of their own
        (Field.TEXT, CONTAINS, "🎰", True),
        (Field.TEXT, STARTS, "the café", True),
        (Field.TEXT, MATCHES, r"casin[o0]\b", True),
        (Field.TEXT, MATCHES, r"^casino", False),
        (Field.TITLE, CONTAINS, "café", True),
        (Field.TITLE, CONTAINS, "casino", False),
        (Field.TITLE, IS, "the cafe opens", True),
        (Field.AUTHOR, IS, "jose alvarez", True),
        (Field.AUTHOR, IS, "@JOSE", True),
        (Field.AUTHOR, IS, "jose", False),
        (Field.AUTHOR, CONTAINS, "alvarez", True),
        (Field.AUTHOR, MATCHES, "^@jo", True),
        (Field.URL, CONTAINS, "casino.example", True),
        (Field.URL, CONTAINS, "promo=", True),
        (Field.URL, STARTS, "https://sites.example/", True),
        (Field.URL, CONTAINS, "other.example", False),
        (Field.HASHTAG, IS, "#opengov", True),
        (Field.HASHTAG, IS, "fete", True),
        (Field.HASHTAG, IS, "open", False),
        (Field.KIND, IS, "article", True),
        (Field.KIND, IS, "post", False),
        (Field.SOURCE, IS, "news", True),
        (Field.LANGUAGE, IS, "fr", True),
        (Field.LANGUAGE, IS, "fr-CA", True),
        (Field.LANGUAGE, IS, "en", False),
    ],
)
def test_a_condition_holds_or_not(field: Field, operator: Operator, value: str, expected: bool) -> None:
    condition = Condition(field, operator, value)
    assert holds(condition) is expected
    assert holds(Condition(field, operator, value, negated=True)) is not expected


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        (Field.REPOST, {"kind": ActivityKind.REPOST}),
        (Field.REPLY, {"in_reply_to": "https://x.com/1"}),
        (Field.SENSITIVE, {"sensitive": True}),
        (Field.UNDESCRIBED, {"media": (Media("image", "https://p/1"), Media("image", "https://p/2", alt="A"))}),
    ],
)
def test_a_flag_is_seen(field: Field, changes: dict[str, Any]) -> None:
    assert holds(Condition(field), facts(**changes))
    assert not holds(Condition(field))


@pytest.mark.parametrize(
    "condition",
    [
        Condition(Field.TEXT, CONTAINS, "roulette"),
        Condition(Field.AUTHOR, IS, "@bets"),
        Condition(Field.UNDESCRIBED),
    ],
)
def test_what_an_item_embeds_counts(condition: Condition) -> None:
    plain = an_activity("1", **SAID)
    quote = NewActivity("1", "x:1", plain.content, "d", Original("x:o", "o", ORIGINAL), "x:o")
    assert holds(condition, facts(quote))
    assert not holds(condition, facts(plain))


def test_the_daily_cap_counts_each_source_and_day_for_itself() -> None:
    around = Surroundings({})
    cap = Condition(Field.DAILY_CAP, value="2")
    seen = []
    for _ in range(3):
        seen.append(holds(cap, facts(), around))
        around.note(facts())
    tomorrow = Facts("news", NOON + timedelta(days=1))
    assert seen == [False, False, True]
    assert not holds(cap, Facts("other", NOON), around)
    assert not holds(cap, tomorrow, around)


WORDS = "the ministry published the new plan for open contracting in all regions today"


@pytest.mark.parametrize(
    ("words", "keys", "source", "hours", "expected"),
    [
        (WORDS, ("web:other",), "other", 0, True),
        (WORDS.replace("today", "now"), (), "other", 0, True),
        ("nothing of that is here at all", (), "other", 0, False),
        ("nothing of that is here at all", ("web:1",), "other", 0, True),  # the same thing from another source
        ("nothing of that is here at all", ("web:1",), "news", 0, False),
        (WORDS, (), "other", 7, False),  # too long ago
    ],
)
def test_near_duplicates_are_found(words: str, keys: tuple[str, ...], source: str, hours: int, expected: bool) -> None:
    around = Surroundings({}, MinHashIndex())
    around.note(Facts("news", NOON, words=WORDS, keys=("web:1",)))
    facts = Facts(source, NOON + timedelta(hours=hours), words=words, keys=keys)
    assert holds(Condition(Field.NEAR_DUPLICATE, value="6"), facts, around) is expected


def rule(id_: int, action: Action, *conditions: Condition, **more: Any) -> Rule:
    return Rule(id_, f"rule {id_}", action, conditions or (Condition(Field.TEXT, CONTAINS, "casino"),), **more)


def test_the_first_deciding_rule_counts_and_tags_and_pins_add_up() -> None:
    other = Condition(Field.TEXT, CONTAINS, "nowhere")
    book = Rulebook(
        [
            rule(1, Action.HIDE, other),
            rule(2, Action.TAG, value="gambling"),
            rule(3, Action.HOLD),
            rule(4, Action.HIDE),
            rule(5, Action.TAG, value="town"),
            rule(6, Action.PIN, value="3"),
            rule(7, Action.HIDE, enabled=False),
        ],
        NOON,
    )
    verdict = book.judge(facts(), Surroundings({}))

    assert (verdict.review, verdict.rule) == (Review.WAITING, 3)
    assert verdict.why == "rule “rule 3”: the text contains “casino”"
    assert verdict.tags == ("gambling", "town")
    assert verdict.pin == timedelta(days=3)
    assert verdict.acted == (2, 3, 5, 6)


@pytest.mark.parametrize(("every", "expected"), [(True, False), (False, True)])
def test_all_or_any(every: bool, expected: bool) -> None:
    both = (Condition(Field.TEXT, CONTAINS, "casino"), Condition(Field.TEXT, CONTAINS, "nowhere"))
    assert (
        bool(Rulebook([rule(1, Action.HIDE, *both, every=every)], NOON).judge(facts(), Surroundings({})).acted)
        is expected
    )


def test_a_rule_ends_at_its_time() -> None:
    until = NOON + timedelta(hours=1)
    assert Rulebook([rule(1, Action.HIDE, until=until)], NOON)
    assert not Rulebook([rule(1, Action.HIDE, until=until)], until)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ((Condition(Field.TEXT, MATCHES, r"(a)\1"),), "Back-references and look-arounds"),
        ((Condition(Field.TEXT, MATCHES, "(?=x)"),), "a valid regular expression"),
        ((Condition(Field.TEXT, MATCHES, "("),), "missing \\)"),
        ((Condition(Field.TEXT, MATCHES, "((a{100}){100}){100}"),), "a valid regular expression"),
        ((Condition(Field.TEXT, CONTAINS, ""),), "needs a value"),
        ((Condition(Field.TEXT, CONTAINS, "x" * 501),), "at most 500"),
        ((Condition(Field.DAILY_CAP, value="-1"),), "a whole number"),
        ((Condition(Field.NEAR_DUPLICATE, value="1000"),), "from 1 to 168"),
        ((), "1 to 20 conditions"),
        ((Condition(Field.REPOST),) * 21, "1 to 20 conditions"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_the_reason(conditions: tuple[Condition, ...], message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        checked(Rule(0, "name", Action.HIDE, conditions))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 81},
        {"action": Action.TAG, "value": "Not A Slug"},
        {"action": Action.PIN, "value": "0"},
    ],
)
def test_names_tags_and_pins_are_checked(changes: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"name": "n", "action": Action.HIDE, "conditions": (Condition(Field.REPOST),)}
    with pytest.raises(BadRequestError):
        checked(Rule(0, **{**usual, **changes}))


@pytest.mark.parametrize("pattern", ["(a+)+$", "(x+x+)+y", "(a|aa)+$", "(.*)*z", "([a-zA-Z]+)*1"])
def test_an_expression_made_to_be_slow_is_not(pattern: str) -> None:
    text = "a" * 100_000 + "x" * 50_000
    condition = compiled(Condition(Field.TEXT, MATCHES, pattern))
    start = time.process_time()
    condition(Facts("news", NOON, text=text), Surroundings({}))
    assert time.process_time() - start < 2  # a backtracking engine would take until the end of time


def test_a_rule_reads_as_a_sentence() -> None:
    conditions = (Condition(Field.TEXT, CONTAINS, "casino"), Condition(Field.REPOST, negated=True))
    assert rule(1, Action.HIDE, *conditions).sentence() == (
        "If the text contains “casino” and not (it is a repost): hide it."
    )
    assert described(Condition(Field.NEAR_DUPLICATE, value="6")) == "it is a near-duplicate within 6 hours"


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param({"poll": Poll(("Chess", "Roulette at nine"))}, id="option-of-a-poll"),
        pytest.param({"links": (Link("https://a.example/", title="Roulette at nine"),)}, id="title-of-a-preview"),
        pytest.param(
            {"links": (Link("https://a.example/", title="A", description="Roulette at nine"),)}, id="description"
        ),
    ],
)
def test_every_shown_text_can_be_matched(shown: dict[str, Any]) -> None:
    conditions = [Condition(Field.TEXT, CONTAINS, "roulette"), Condition(Field.TEXT, MATCHES, "Roulette at n.ne")]
    assert [holds(condition, facts(**{"links": (), **shown})) for condition in conditions] == [True, True]
    assert [holds(condition, facts()) for condition in conditions] == [False, False]


def test_the_quoted_post_of_a_reposted_quote_can_be_matched() -> None:
    quoted = Original("x:1", "1", an_activity("1", text="Roulette").content)
    repost = replace(an_activity("3"), object=Original("x:2", "2", an_activity("2").content, quoted), object_key="x:2")
    for condition in (Condition(Field.TEXT, CONTAINS, "roulette"), Condition(Field.TEXT, MATCHES, "R.ulette")):
        assert holds(condition, facts(repost))
