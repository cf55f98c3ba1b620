"""Manage rules: list, form and preview."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import BadRequestError, NotFoundError
from aggregator.domain.moderation.conditions import (
    EXACT,
    FLAGS,
    LIMITS,
    NUMBERS,
    Condition,
    Field,
    Operator,
    described,
)
from aggregator.domain.moderation.rule_preview import SPAN, preview_rule, rulebook_with
from aggregator.domain.moderation.rules import (
    LONGEST_NAME,
    MOST_CONDITIONS,
    Action,
    Rule,
    checked,
)
from aggregator.review.context import CHOICES, HOME, DeskRoute
from aggregator.review.form import id_in
from aggregator.web.labels import plurals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.responses import Response

    from aggregator.domain.activity import Activity
    from aggregator.domain.moderation.rule_preview import RulePreview
    from aggregator.review.context import DeskContext, DeskRequest
    from storage.store import Transaction

_CARDS = 10  # matches that the preview shows as cards; the others are links
_BEFORE = timedelta(days=8)  # the preview starts earlier for rules that count days or compare up to a week

ACTIONS: Mapping[Action, str] = {
    Action.HIDE: "Hide",
    Action.HOLD: "Hold for review",
    Action.KEEP: "Publish (overrides the source policy)",
    Action.TAG: "Tag",
    Action.PIN: "Pin",
}
FIELDS: Mapping[Field, str] = {
    Field.TEXT: "text or title",
    Field.TITLE: "title",
    Field.AUTHOR: "author (name or @handle)",
    Field.URL: "address or link",
    Field.HASHTAG: "hashtag",
    Field.KIND: "type",
    Field.SOURCE: "source",
    Field.LANGUAGE: "language",
    Field.REPOST: "is a repost",
    Field.REPLY: "is a reply",
    Field.SENSITIVE: "is marked as sensitive",
    Field.UNDESCRIBED: "has an image without description",
    Field.DAILY_CAP: "items per source and day exceed",
    Field.NEAR_DUPLICATE: "near-duplicate within hours",
}
OPERATORS: Mapping[Operator, str] = {
    Operator.CONTAINS: "contains",
    Operator.IS: "is",
    Operator.STARTS: "starts with",
    Operator.MATCHES: "matches (regular expression)",
}
_PAST = {
    Action.HIDE: "hidden",
    Action.HOLD: "held",
    Action.KEEP: "published",
    Action.TAG: "tagged",
    Action.PIN: "pinned",
}


class RulePages:
    """The pages of rules."""

    def __init__(self, desk: DeskContext) -> None:
        self._desk = desk

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/rules", Role.VIEWER, self.listed)
        yield DeskRoute("GET", "/rules/new", Role.EDITOR, self.blank)
        yield DeskRoute("POST", "/rules/new", Role.EDITOR, self.add)
        yield DeskRoute("GET", "/rules/{rule_id}", Role.VIEWER, self.show)
        yield DeskRoute("POST", "/rules/{rule_id}", Role.EDITOR, self.change)
        yield DeskRoute("POST", "/rules/{rule_id}/move", Role.EDITOR, self.move)
        yield DeskRoute("POST", "/rules/{rule_id}/switch", Role.EDITOR, self.switch)
        yield DeskRoute("POST", "/rules/{rule_id}/delete", Role.EDITOR, self.delete)

    def listed(self, request: DeskRequest) -> Response:
        """Show all rules in order."""
        with self._desk.store.reading() as tx:
            rules = tx.moderation.rules.all()
        return self._desk.page(request, "rules.html", {"rules": rules, "actions": ACTIONS})

    def blank(self, request: DeskRequest) -> Response:
        """Show an empty form, or one with the condition given in the query string."""
        field = request.query.choice("field", [field.value for field in Field], Field.TEXT.value)
        operator = request.query.choice("operator", [operator.value for operator in Operator], Operator.CONTAINS.value)
        first = Condition(Field(field), Operator(operator), request.query.text("value"))
        return self._form(request, Rule(0, "", Action.HIDE, (first,)))

    def add(self, request: DeskRequest) -> Response:
        """Preview or add a rule."""
        return self._save(request, Rule(0, "", Action.HIDE, ()))

    def show(self, request: DeskRequest) -> Response:
        """Show the form of a rule."""
        return self._form(request, self._rule(request))

    def change(self, request: DeskRequest) -> Response:
        """Preview or change a rule."""
        return self._save(request, self._rule(request))

    def move(self, request: DeskRequest) -> Response:
        """Move a rule up or down."""
        up = request.form.choice("to", ["up", "down"]) == "up"
        rule = self._rule(request)
        with self._desk.store.writing() as tx:
            if not tx.moderation.rules.move(rule.id, up=up):
                raise BadRequestError(f"“{rule.name}” is already the {'first' if up else 'last'} rule.")
            self._note(tx, request, "moved a rule", rule.id, {"to": "up" if up else "down"})
        return self._desk.onward(f"{HOME}/rules", f"“{rule.name}” moved {'up' if up else 'down'}.")

    def switch(self, request: DeskRequest) -> Response:
        """Turn a rule on or off."""
        on = request.form.choice("to", ["on", "off"]) == "on"
        rule = self._rule(request)
        with self._desk.store.writing() as tx:
            tx.moderation.rules.change(replace(rule, enabled=on), request.now)
            self._note(tx, request, f"turned {'on' if on else 'off'} a rule", rule.id, {"name": rule.name})
        return self._desk.onward(f"{HOME}/rules", f"“{rule.name}” is {'on' if on else 'off'}.")

    def delete(self, request: DeskRequest) -> Response:
        """Delete a rule; its past decisions are kept."""
        rule = self._rule(request)
        with self._desk.store.writing() as tx:
            tx.moderation.rules.delete(rule.id)
            self._note(tx, request, "deleted a rule", rule.id, {"before": _details_of(rule)})
        return self._desk.onward(f"{HOME}/rules", f"“{rule.name}” deleted. Its past decisions are kept.")

    def _rule(self, request: DeskRequest) -> Rule:
        text = str(request.http.path_params["rule_id"])
        with self._desk.store.reading() as tx:
            id_ = id_in(text)
            rule = None if id_ is None else tx.moderation.rules.get(id_)
        if rule is None:
            raise NotFoundError(f"No rule {text[:40]!r}; it may have been deleted.")
        return rule

    def _save(self, request: DeskRequest, former: Rule) -> Response:
        """Handle the pressed button: add or remove a condition, preview, or save."""
        typed, done = self._typed(request, former), request.form.text("do")
        if done == "fields":  # another field or action was chosen, which needs other inputs
            return self._form(request, typed)
        if done == "more":
            return self._form(request, replace(typed, conditions=(*typed.conditions, Condition(Field.TEXT))))
        if done.startswith("less-"):
            left = [condition for place, condition in enumerate(typed.conditions) if done != f"less-{place}"]
            return self._form(request, replace(typed, conditions=tuple(left) or (Condition(Field.TEXT),)))
        try:
            rule = checked(typed)
        except BadRequestError as problem:
            return self._form(request, typed, complaint=str(problem))
        if done == "rehearse":
            return self._form(request, rule, preview=self._preview(rule, request))
        with self._desk.store.writing() as tx:
            if former.id:
                tx.moderation.rules.change(replace(rule, author=former.author), request.now)
                self._note(
                    tx,
                    request,
                    "changed a rule",
                    former.id,
                    {"before": _details_of(former), "after": _details_of(rule)},
                )
            else:
                id_ = tx.moderation.rules.add(replace(rule, author=request.account.name), request.now)
                self._note(tx, request, "added a rule", id_, {"after": _details_of(rule)})
        return self._desk.onward(f"{HOME}/rules", f"“{rule.name}” saved. It applies to new items.")

    def _typed(self, request: DeskRequest, former: Rule) -> Rule:
        form = request.form
        conditions = []
        for place in range(form.whole("rows", 0, MOST_CONDITIONS, 1)):
            field = Field(form.choice(f"field-{place}", [field.value for field in Field]))
            usual = Operator.IS.value if field in EXACT else Operator.CONTAINS.value
            operator = Operator(form.choice(f"operator-{place}", [operator.value for operator in Operator], usual))
            if field in EXACT and operator is not Operator.MATCHES:
                operator = Operator.IS
            value = "" if field in FLAGS else form.text(f"value-{place}", most=1000)
            if field.value != form.text(f"was-{place}") and form.text(f"was-{place}"):
                value = ""  # it was typed for another field
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

    def _preview(self, rule: Rule, request: DeskRequest) -> tuple[RulePreview, list[tuple[Activity, str]]]:
        """Return the counts and the latest matching items with their reasons."""
        as_if_on = replace(rule, enabled=True, until=None)
        with self._desk.store.reading() as tx:
            book = rulebook_with(tx.moderation.rules.all(), as_if_on, request.now)
            early = {Field.DAILY_CAP, Field.NEAR_DUPLICATE} & book.fields
            since = request.now - SPAN - (_BEFORE if early else timedelta())
            done = preview_rule(tx.moderation.rules.arrived(since, book), as_if_on, book, request.now)
            items = {item.id: item for item in tx.moderation.queue.items([id_ for id_, _ in done.listed])}
        return done, [(items[id_], why) for id_, why in done.listed if id_ in items]

    def _form(
        self,
        request: DeskRequest,
        rule: Rule,
        *,
        complaint: str = "",
        preview: tuple[RulePreview, list[tuple[Activity, str]]] | None = None,
    ) -> Response:
        with self._desk.store.reading() as tx:
            named = [condition.value for condition in rule.conditions if condition.field is Field.SOURCE]
            sources = tx.polling.sources.choices(CHOICES, named)
        zone = self._desk.pages.dates.zone
        values: dict[str, Any] = {
            "rule": rule,
            "until": rule.until.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if rule.until else "",
            "actions": ACTIONS,
            "fields": FIELDS,
            "flags": {field.value for field in FLAGS},
            "exact": {field.value for field in EXACT},
            "numbers": {field.value for field in NUMBERS},
            "operators": OPERATORS,
            "kinds": plurals(),
            "sources": sources,
            "suggested": {Field.SOURCE.value: "source", Field.AUTHOR.value: "author"},
            "limits": LIMITS,
            "valued": {Action.TAG.value: "Tag", Action.PIN.value: "Days to pin"},
            "cards": _CARDS,
            "complaint": complaint,
            "preview": preview,
            "past": _PAST[rule.action],
            "most": MOST_CONDITIONS,
        }
        return self._desk.page(request, "rule.html", values, 422 if complaint else 200)

    def _note(self, tx: Transaction, request: DeskRequest, what: str, rule_id: int, detail: Mapping[str, Any]) -> None:
        tx.moderation.audit.note(request.now, request.account.name, what, f"rule:{rule_id}", detail)


def _details_of(rule: Rule) -> dict[str, Any]:
    """Return a rule as stored in the audit log."""
    return {
        "name": rule.name,
        "action": rule.action.value,
        "value": rule.value,
        "every": rule.every,
        "enabled": rule.enabled,
        "until": rule.until.isoformat() if rule.until else None,
        "conditions": [described(condition) for condition in rule.conditions],
    }
