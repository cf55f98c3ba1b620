"""Define a kind of source as a package of another distribution, to test that no other code must change."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ENTRY_POINTS = "[aggregator.sources]\nlogbook = logbook.plugin:KIND\n"
METADATA = "Metadata-Version: 2.1\nName: logbook\nVersion: 1.0\n"

PLUGIN = '''
"""Logbooks of ships: a JSON list of entries at an address that begins with logbook:."""

import json
from datetime import datetime, timedelta
from hashlib import sha256

from aggregator.domain.activity import ActivityKind, Actor, Content, NewActivity
from aggregator.domain.networks import LegalTerms, Network, Noun
from aggregator.domain.polling.results import FetchResult
from aggregator.domain.settings_schema import Option, one_of
from aggregator.domain.source_options import OptionType, SourceOption
from aggregator.source_api.documents import DocumentKind, discovered, facts_of
from aggregator.text.urls import canonical_url

HARBOR = Network(
    "harbor",
    label="Harbor",
    hosts=frozenset({"harbor.example"}),
    nouns={ActivityKind.POST: Noun("Log entry", "Log entries")},
    terms=LegalTerms(public_text=True, embeddable=True, edits_replace=False, link_to_post=True),
)


class LogbookKind(DocumentKind):
    name = "logbook"
    label = "a logbook"
    address_form = "a logbook (logbook:https://...)"
    fallback_slug = "logbook"
    networks = (HARBOR,)
    settings = (
        Option("LOGBOOK_LANGUAGE", one_of(("en", "es")), "en or es", "the language of logbooks", "en"),
    )
    options = (
        SourceOption("watch", OptionType.CHOICE, "Watch", "Whose entries are read.", choices=("all", "night")),
        SourceOption("signed", OptionType.FLAG, "Signed entries only", "Whether unsigned entries are left out."),
    )

    def web_address(self, address):
        return canonical_url(address[len("logbook:"):]) if address.startswith("logbook:") else None

    def export_address(self, source):
        return f"logbook:{source.address}"

    async def discover(self, address, context, options={}, headers={}):
        url = self.web_address(address)
        if url is None:
            return None
        response = await context.http.get(url, accept="application/json", headers=headers)

        async def first_poll(address, floor):
            return self.result(response, options, context)

        return await discovered(self, response, url, options, first_poll, self.fallback_slug)

    async def read(self, source, context, tally):
        response = await context.http.get(source.address, accept="application/json", tally=tally)
        return self.result(response, source.options, context)

    def result(self, response, options, context):
        book = json.loads(response.body)
        entries = [entry for entry in book["entries"] if options.get("watch") in (None, "all", entry["watch"])]
        language = context.settings["logbook_language"]
        return FetchResult([normalise(entry, language) for entry in entries], {}, name=book["ship"],
                           facts=facts_of(response))


def normalise(entry, language):
    return NewActivity(
        native_id=entry["id"],
        key=f"harbor:{entry['id']}",
        content=Content(
            kind=ActivityKind.POST,
            network=HARBOR.name,
            url=f"https://harbor.example/log/{entry['id']}",
            actor=Actor(HARBOR.name, "1", "Captain Ada", "ada"),
            text=entry["text"],
            html=f"<p>{entry['text']}</p>",
            lang=language,
            published=datetime.fromisoformat(entry["at"]),
        ),
        entry_digest=sha256(json.dumps(entry).encode()).hexdigest(),
    )


KIND = LogbookKind()
'''


def install(folder: Path) -> None:
    """Write the package and its metadata as an installer does."""
    package, installed = folder / "logbook", folder / "logbook-1.0.dist-info"
    package.mkdir(parents=True)
    installed.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    (installed / "METADATA").write_text(METADATA, encoding="utf-8")
    (installed / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
