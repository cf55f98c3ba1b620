"""Describe entries of the audit log as sentences, and the changes that they record. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# A sentence for each action, with placeholders for the user and the subject.
_SENTENCES: Mapping[str, str] = {
    "approved": "{who} approved {subject}.",
    "hid": "{who} hid {subject}.",
    "sent back": "{who} returned {subject} to the queue.",
    "declined the edit of": "{who} kept the approved version of {subject}.",
    "pinned": "{who} pinned {subject}.",
    "unpinned": "{who} unpinned {subject}.",
    "joined to a story": "{who} merged {subject} into a story.",
    "split off": "{who} removed {subject} from its story.",
    "wrote on": "{who} edited the headline or note of {subject}.",
    "described pictures of": "{who} described images of {subject}.",
    "undid": "{who} undid the last decision on {subject}.",
    "added an item": "{who} wrote {subject}.",
    "changed an item of ours": "{who} edited {subject}.",
    "added a rule": "{who} added the rule {subject}.",
    "changed a rule": "{who} changed the rule {subject}.",
    "moved a rule": "{who} moved the rule {subject}.",
    "turned on a rule": "{who} turned on the rule {subject}.",
    "turned off a rule": "{who} turned off the rule {subject}.",
    "deleted a rule": "{who} deleted the rule {subject}.",
    "added a source": "{who} added the source {subject}.",
    "changed a source": "{who} changed the source {subject}.",
    "renamed a source": "{who} renamed the source {subject}.",
    "removed a source": "{who} removed the source {subject}.",
    "paused a source": "{who} paused the source {subject}.",
    "resumed a source": "{who} resumed the source {subject}.",
    "changed options": "{who} changed the options of {subject}.",
    "changed a policy": "{who} changed the policy of {subject}.",
    "asked for a poll": "{who} requested a poll of {subject}.",
    "released a burst": "{who} released the quarantined items of {subject}.",
    "dropped a burst": "{who} discarded the quarantined items of {subject}.",
    "source moved": "{who} changed the address of {subject}.",
    "source converted": "{who} changed the type of {subject}.",
    "froze": "{who} started a freeze of {subject}.",
    "ended a freeze": "{who} ended a freeze of {subject}.",
    "changed their settings": "{who} changed their settings.",
    "snoozed": "{who} paused the alerts of {subject}.",
    "muted": "{who} ended the alerts of {subject}.",
    "unmuted": "{who} allowed the alerts of {subject} again.",
    "signed in": "{who} signed in.",
    "signed out": "{who} signed out.",
    "signed out everywhere": "{who} signed out everywhere.",
    "failed to sign in": "A sign-in of {subject} failed.",
    "changed their password": "{who} changed their password.",
    "added an account": "{who} added the user {subject}.",
    "changed a role": "{who} changed the role of {subject}.",
    "gave a new password": "{who} reset the password of {subject}.",
    "disabled an account": "{who} deactivated the user {subject}.",
    "enabled an account": "{who} reactivated the user {subject}.",
    "added a passkey": "{who} added a passkey.",
    "removed a passkey": "{who} removed a passkey.",
    "removed passkeys": "{who} removed the passkeys of {subject}.",
    "added an authenticator app": "{who} set up an authenticator app.",
    "removed their authenticator app": "{who} removed their authenticator app.",
    "made recovery codes": "{who} made new recovery codes.",
    "removed a second factor": "{who} removed the authenticator app of {subject}.",
    "made a link": "{who} made a link for a new password of {subject}.",
    "reset their password": "{who} set a new password with a link.",
    "changed an e-mail address": "{who} changed the e-mail address of {subject}.",
    "confirmed an e-mail address": "{who} confirmed an e-mail address.",
}
# The field whose former and present value an entry has without naming it.
_FIELD_OF: Mapping[str, str] = {"source moved": "Address", "source converted": "Type", "changed a role": "Role"}
_OTHER = "{who} recorded “{what}” on {subject}."

_FIELDS: Mapping[str, str] = {
    "review": "Status",
    "pinned": "Pinned until",
    "headline": "Headline",
    "note": "Note",
    "alt": "Image descriptions",
    "policy": "New items",
    "delay": "Delay in seconds",
    "on_edit": "Edits of approved items",
    "trusted": "Trusted authors",
    "undescribed": "Images without description",
    "folder": "Folder",
    "name": "Name",
    "address": "Address",
    "action": "Action",
    "value": "Value",
    "every": "All conditions must match",
    "enabled": "Enabled",
    "until": "Until",
    "conditions": "Conditions",
    "role": "Role",
    "items": "Items",
    "hidden": "Hidden items",
    "title": "Title",
    "text": "Text",
    "url": "Link",
    "published": "Published",
    "lang": "Language",
    "pictures": "Images",
    "to": "Direction",
    "with": "With",
    "passkey": "Passkey",
    "totp": "Authenticator app",
    "passkey_required": "Passkey after the password",
    "problem": "Reason",
}
# What the sentence itself already states, or what only the program needs.
_SILENT = frozenset(
    {
        *("why", "by", "at", "reviewer", "rule", "by_hand", "later", "story"),
        *("revision", "undoes", "undoes_part", "edit"),
    }
)
_VALUES: Mapping[str, str] = {
    "auto": "publish immediately",
    "delay": "publish after a delay",
    "hold": "hold for review",
    "stay": "keep the approved version and hold the edit",
    "return": "unpublish and return to queue",
}
_WITH_VALUES = frozenset({"policy", "on_edit", "undescribed"})
_LONGEST = 160  # characters of a value


class Change(NamedTuple):
    """A changed field, with its values in words; None: it had none."""

    field: str
    before: str | None
    after: str | None


def sentence_of(what: str) -> str:
    """Return the sentence of an action, with the placeholders `who` and `subject` (and `what`, if it is unknown)."""
    return _SENTENCES.get(what, _OTHER)


def changes_in(detail: Mapping[str, Any] | None, what: str = "") -> list[Change]:
    """Return the changed fields of an entry on an action, in words; what merely repeats the sentence is left out."""
    if not detail:
        return []
    before, after = detail.get("from", detail.get("before")), detail.get("to", detail.get("after"))
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        return [*_differences(_flat(before), _flat(after))]
    if before is not None or after is not None:
        rest = {name: value for name, value in detail.items() if name not in {"from", "to", "before", "after", "why"}}
        field = _FIELD_OF.get(what) or ("Value" if before is not None else "Direction")
        return [Change(field, _word("", before), _word("", after)), *_differences({}, _flat(rest))]
    return _differences({}, _flat({name: value for name, value in detail.items() if name != "reason"}))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    names = [name for name in dict.fromkeys([*before, *after]) if name not in _SILENT]
    found = []
    for name in names:
        former, present = _word(name, before.get(name)), _word(name, after.get(name))
        if former != present:
            label = _FIELDS.get(name.partition(".")[0]) or name.replace("_", " ").replace(".", ": ").capitalize()
            found.append(Change(label, former, present))
    return found


def _flat(values: object) -> dict[str, Any]:
    """Return the values of a mapping; those of mappings in it get names such as "options.limit"."""
    if not isinstance(values, Mapping):
        return {}
    flat: dict[str, Any] = {}
    for name, value in values.items():
        inner = _flat(value) if isinstance(value, Mapping) else {}
        flat.update({f"{name}.{key}": each for key, each in inner.items()} if inner else {str(name): value})
    return flat


def _word(name: str, value: object) -> str | None:
    """Return a value in words; None for an empty one."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return None
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(word for each in value if (word := _word(name, each))) or None
    if value is None or value == "":
        return None
    text = _VALUES.get(str(value), str(value)) if name in _WITH_VALUES else str(value)
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"
