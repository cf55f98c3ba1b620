"""Rules: their list, the form of one, and its rehearsal before it is saved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import BadRequestError, NotFoundError
from aggregator.domain.moderation.conditions import (
    EXACT,
    FLAGS,
    NUMBERS,
    Condition,
    Field,
    Operator,
    described,
)
from aggregator.domain.moderation.rule_preview import SPAN, book_with, rehearse
from aggregator.domain.moderation.rules import (
    LONGEST_NAME,
    MOST_CONDITIONS,
    Action,
    Rule,
    checked,
)
from aggregator.review.context import CHOICES, HOME, DeskRoute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.responses import Response

    from aggregator.domain.activity import Activity
    from aggregator.domain.moderation.rule_preview import Rehearsed
    from aggregator.review.context import DeskContext, DeskRequest
    from storage.store import Transaction

_LARGEST_ID = 2**63 - 1
_BEFORE = timedelta(days=8)  # that a rehearsal begins earlier, since rules count days and compare up to a week

ACTIONS: Mapping[Action, str] = {
    Action.HIDE: "Hide it",
    Action.HOLD: "Hold it for a person",
    Action.KEEP: "Show it, whatever the source policy says",
    Action.TAG: "Tag it",
    Action.PIN: "Pin it",
}
FIELDS: Mapping[Field, str] = {
    Field.TEXT: "text or title",
    Field.TITLE: "title",
    Field.AUTHOR: "author (name or @handle)",
    Field.URL: "address or link",
    Field.HASHTAG: "hashtag",
    Field.KIND: "kind",
    Field.SOURCE: "source",
    Field.LANGUAGE: "language",
    Field.REPOST: "is a repost",
    Field.REPLY: "is a reply",
    Field.SENSITIVE: "is marked as sensitive",
    Field.UNDESCRIBED: "has a picture without description",
    Field.DAILY_CAP: "more of its source came that day than",
    Field.NEAR_DUPLICATE: "resembles something of the hours before:",
}
OPERATORS: Mapping[Operator, str] = {
    Operator.CONTAINS: "contains",
    Operator.IS: "is",
    Operator.STARTS: "starts with",
    Operator.MATCHES: "matches (regular expression)",
}
_PAST = {Action.HIDE: "hidden", Action.HOLD: "held", Action.KEEP: "shown", Action.TAG: "tagged", Action.PIN: "pinned"}


class RulePages:
    """The rules' pages."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def ways(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/rules", Role.VIEWER, self.listed)
        yield DeskRoute("GET", "/rules/new", Role.EDITOR, self.blank)
        yield DeskRoute("POST", "/rules/new", Role.EDITOR, self.add)
        yield DeskRoute("GET", "/rules/{rule_id}", Role.VIEWER, self.show)
        yield DeskRoute("POST", "/rules/{rule_id}", Role.EDITOR, self.change)
        yield DeskRoute("POST", "/rules/{rule_id}/move", Role.EDITOR, self.move)
        yield DeskRoute("POST", "/rules/{rule_id}/switch", Role.EDITOR, self.switch)
        yield DeskRoute("POST", "/rules/{rule_id}/delete", Role.EDITOR, self.delete)

    def listed(self, visit: DeskRequest) -> Response:
        """Show all rules in the order in which they count."""
        with self._desk.store.reading() as tx:
            rules = tx.moderation.rules.all()
        return self._desk.page(visit, "rules.html", {"rules": rules, "actions": ACTIONS})

    def blank(self, visit: DeskRequest) -> Response:
        """Show an empty form, or one that begins with a condition that an address names."""
        field = visit.query.choice("field", [field.value for field in Field], Field.TEXT.value)
        operator = visit.query.choice("operator", [one.value for one in Operator], Operator.CONTAINS.value)
        first = Condition(Field(field), Operator(operator), visit.query.text("value"))
        return self._form(visit, Rule(0, "", Action.HIDE, (first,)))

    def add(self, visit: DeskRequest) -> Response:
        """Rehearse or add a rule."""
        return self._save(visit, Rule(0, "", Action.HIDE, ()))

    def show(self, visit: DeskRequest) -> Response:
        """Show the form of a rule."""
        return self._form(visit, self._rule(visit))

    def change(self, visit: DeskRequest) -> Response:
        """Rehearse or change a rule."""
        return self._save(visit, self._rule(visit))

    def move(self, visit: DeskRequest) -> Response:
        """Let a rule count earlier or later."""
        up = visit.form.choice("to", ["up", "down"]) == "up"
        rule = self._rule(visit)
        with self._desk.store.writing() as tx:
            if not tx.moderation.rules.move(rule.id, up=up):
                raise BadRequestError(f"“{rule.name}” is the {'first' if up else 'last'} rule already.")
            self._note(tx, visit, "moved a rule", rule.id, {"to": "up" if up else "down"})
        return self._desk.onward(f"{HOME}/rules", f"“{rule.name}” counts {'earlier' if up else 'later'} now.")

    def switch(self, visit: DeskRequest) -> Response:
        """Turn a rule on or off."""
        on = visit.form.choice("to", ["on", "off"]) == "on"
        rule = self._rule(visit)
        with self._desk.store.writing() as tx:
            tx.moderation.rules.change(replace(rule, enabled=on), visit.now)
            self._note(tx, visit, f"turned {'on' if on else 'off'} a rule", rule.id, {"name": rule.name})
        return self._desk.onward(f"{HOME}/rules", f"“{rule.name}” is {'on' if on else 'off'}.")

    def delete(self, visit: DeskRequest) -> Response:
        """Delete a rule; what it did stays."""
        rule = self._rule(visit)
        with self._desk.store.writing() as tx:
            tx.moderation.rules.delete(rule.id)
            self._note(tx, visit, "deleted a rule", rule.id, {"before": _told(rule)})
        return self._desk.onward(f"{HOME}/rules", f"“{rule.name}” is deleted. What it decided stays as it is.")

    def _rule(self, visit: DeskRequest) -> Rule:
        text = str(visit.request.path_params["rule_id"])
        with self._desk.store.reading() as tx:
            known = text.isascii() and text.isdigit() and int(text) <= _LARGEST_ID
            rule = tx.moderation.rules.get(int(text)) if known else None
        if rule is None:
            raise NotFoundError(f"There is no rule {text[:40]!r}; it may have been deleted.")
        return rule

    def _save(self, visit: DeskRequest, former: Rule) -> Response:
        """Do what the button says: one row more or less, rehearse, or save."""
        typed, done = self._typed(visit, former), visit.form.text("do")
        if done == "more":
            return self._form(visit, replace(typed, conditions=(*typed.conditions, Condition(Field.TEXT))))
        if done.startswith("less-"):
            left = [one for place, one in enumerate(typed.conditions) if done != f"less-{place}"]
            return self._form(visit, replace(typed, conditions=tuple(left) or (Condition(Field.TEXT),)))
        try:
            rule = checked(typed)
        except BadRequestError as problem:
            return self._form(visit, typed, complaint=str(problem))
        if done == "rehearse":
            return self._form(visit, rule, rehearsed=self._rehearsed(rule, visit))
        with self._desk.store.writing() as tx:
            if former.id:
                tx.moderation.rules.change(replace(rule, author=former.author), visit.now)
                self._note(tx, visit, "changed a rule", former.id, {"before": _told(former), "after": _told(rule)})
            else:
                id_ = tx.moderation.rules.add(replace(rule, author=visit.account.name), visit.now)
                self._note(tx, visit, "added a rule", id_, {"after": _told(rule)})
        return self._desk.onward(f"{HOME}/rules", f"“{rule.name}” is saved. It judges what comes from now on.")

    def _typed(self, visit: DeskRequest, former: Rule) -> Rule:
        form = visit.form
        conditions = []
        for place in range(form.whole("rows", 0, MOST_CONDITIONS, 1)):
            field = Field(form.choice(f"field-{place}", [field.value for field in Field]))
            usual = Operator.IS.value if field in EXACT else Operator.CONTAINS.value
            operator = Operator(form.choice(f"operator-{place}", [one.value for one in Operator], usual))
            if field in EXACT and operator is not Operator.MATCHES:
                operator = Operator.IS
            value = "" if field in FLAGS else form.text(f"value-{place}", most=1000)
            conditions.append(Condition(field, operator, value, form.checked(f"not-{place}")))
        action = Action(form.choice("action", [action.value for action in Action]))
        return replace(
            former,
            name=form.text("name", most=LONGEST_NAME),
            action=action,
            value=form.text("value", most=60) or None if action in {Action.TAG, Action.PIN} else None,
            every=form.choice("every", ["all", "any"], "all") == "all",
            until=form.moment("until", self._desk.pages.dates.zone),
            enabled=form.checked("enabled"),
            conditions=tuple(conditions),
        )

    def _rehearsed(self, rule: Rule, visit: DeskRequest) -> tuple[Rehearsed, list[tuple[Activity, str]]]:
        """Return the figures, and the newest items with the reason of each."""
        as_if_on = replace(rule, enabled=True, until=None)
        with self._desk.store.reading() as tx:
            book = book_with(tx.moderation.rules.all(), as_if_on, visit.now)
            early = {Field.DAILY_CAP, Field.NEAR_DUPLICATE} & book.fields
            since = visit.now - SPAN - (_BEFORE if early else timedelta())
            done = rehearse(tx.moderation.rules.arrived(since, book), as_if_on, book, visit.now)
            held = {item.id: item for item in tx.moderation.queue.items([id_ for id_, _ in done.listed])}
        return done, [(held[id_], why) for id_, why in done.listed if id_ in held]

    def _form(
        self,
        visit: DeskRequest,
        rule: Rule,
        *,
        complaint: str = "",
        rehearsed: tuple[Rehearsed, list[tuple[Activity, str]]] | None = None,
    ) -> Response:
        with self._desk.store.reading() as tx:
            sources = tx.polling.sources.choices(CHOICES)
        zone = self._desk.pages.dates.zone
        values: dict[str, Any] = {
            "rule": rule,
            "until": rule.until.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if rule.until else "",
            "actions": ACTIONS,
            "fields": FIELDS,
            "flags": {field.value for field in FLAGS},
            "numbers": {field.value for field in NUMBERS},
            "operators": OPERATORS,
            "kinds": list(ActivityKind),
            "sources": sources,
            "complaint": complaint,
            "rehearsed": rehearsed,
            "past": _PAST[rule.action],
            "most": MOST_CONDITIONS,
        }
        return self._desk.page(visit, "rule.html", values, 422 if complaint else 200)

    def _note(self, tx: Transaction, visit: DeskRequest, what: str, rule_id: int, detail: Mapping[str, Any]) -> None:
        tx.moderation.audit.note(visit.now, visit.account.name, what, f"rule:{rule_id}", detail)


def _told(rule: Rule) -> dict[str, Any]:
    """Return a rule as the history tells it."""
    return {
        "name": rule.name,
        "action": rule.action.value,
        "value": rule.value,
        "every": rule.every,
        "enabled": rule.enabled,
        "until": rule.until.isoformat() if rule.until else None,
        "conditions": [described(condition) for condition in rule.conditions],
    }
