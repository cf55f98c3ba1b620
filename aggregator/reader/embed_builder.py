"""Serve the page that builds an embed: a form with filters, a preview, and the code to copy.

It works without scripts: the form reloads the page. With scripts, each change replaces preview and code.
"""

# Annotations are evaluated: FastAPI reads them when the routes are added.
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from aggregator.domain.errors import BadRequestError
from aggregator.domain.networks import all_networks
from aggregator.domain.tagging.countries import name, sort_key
from aggregator.reader.embed import FRAME, MOST_ITEMS, THEMES
from aggregator.reader.known_filters import refuse_unknown
from aggregator.reader.query_params import given, query_of, query_string, whole_number
from aggregator.web.labels import network_label, plurals
from aggregator.web.responses import HTML, answer
from aggregator.web.security import policy
from aggregator.web.translation import current_language, gettext, translatable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aggregator.config.portal_folder import Configuration
    from aggregator.domain.activity import SourceRef
    from aggregator.reader.page_metadata import MetadataBuilder
    from aggregator.reader.rate_limits import Admission
    from aggregator.web.pages import Pages
    from storage.store import Store, Transaction

_MOST_SOURCES = 200  # that the page offers
_DEFAULT_LIMIT = "5"
_SELECTED = ("kind", "topic", "country", "network", "source", "theme")
_TYPED = ("q", "heading", "limit")
_LOOK = frozenset({"theme", "heading"})  # not filters
_COLORS = (
    ("auto", translatable("Like the visitor's device")),
    ("light", translatable("Light")),
    ("dark", translatable("Dark")),
)
_DESCRIPTION = translatable("Choose what to show, see a preview, and copy the code.")


@dataclass(frozen=True, slots=True)
class Selection:
    """A select element of the form."""

    name: str
    label: str
    every: str  # the label of the choice without a filter; "": none
    options: "Sequence[tuple[str, str]]"  # value and label
    chosen: str


class EmbedBuilder:
    """The builder of one store."""

    def __init__(
        self,
        store: "Store",
        pages: "Pages",
        admission: "Admission",
        configuration: "Configuration",
        metadata: "MetadataBuilder",
    ) -> None:
        self._store = store
        self._pages = pages
        self._admission = admission
        self._configuration = configuration
        self._metadata = metadata
        self._policy = policy({"frame-src": "'self'"})

    def add_to(self, app: FastAPI) -> None:
        """Add the route."""
        app.add_api_route("/embed/builder", self.page, include_in_schema=False, response_class=HTMLResponse)

    def page(self, request: Request) -> Response:
        """Return the page."""
        sent = given(request.scope["query_string"], FRAME, strict=False)
        values = {key: sent[key] for key in (*_SELECTED, *_TYPED) if any(sent.get(key, ()))}
        counted = self._admission.admit(request, values, by_token=False).headers
        with self._store.reading() as tx:
            message = self._mistake(values, tx)
            chosen = frozenset(values.get("source", ()) if not message else ())
            sources = tx.polling.sources.choices(_MOST_SOURCES, chosen)
        title, description = gettext("Embed this stream"), gettext(_DESCRIPTION)
        shown: dict[str, Any] = {
            "meta": self._metadata.of_page(request, "/embed/builder", title, description),
            "selections": self._selections(values, sources),
            "values": {key: values.get(key, [""])[0] for key in _TYPED},
            "most": MOST_ITEMS,
            "default_limit": _DEFAULT_LIMIT,
            "message": message,
            **(self._code(request, values) if not message else {}),
        }
        made = answer(request, self._pages.render("embed_builder.html", shown), HTML)
        made.headers.update(counted)
        made.headers["Content-Security-Policy"] = self._policy
        return made

    def _mistake(self, values: "Mapping[str, list[str]]", tx: "Transaction") -> str:
        """Return an error message about the values; "": they are valid."""
        vocabulary = self._configuration.vocabulary
        filters = {key: value for key, value in values.items() if key not in _LOOK}
        try:
            _check(values)
            refuse_unknown(query_of(filters, vocabulary.cohorts), tx, vocabulary)
        except BadRequestError as problem:
            return str(problem)
        return ""

    def _code(self, request: Request, values: "Mapping[str, list[str]]") -> dict[str, str]:
        """Return the address of the preview, and the code of each way to embed."""
        base = self._pages.base(request)
        here, tag = base + current_language().path, current_language().tag
        title = values.get("heading", [gettext("Activity stream")])[0]
        filters = {key: value for key, value in values.items() if key not in _LOOK}
        items = query_string({"limit": [_DEFAULT_LIMIT], **filters, "links": ["absolute"]})
        frame = f"/embed{query_string({'limit': [_DEFAULT_LIMIT], **values})}"
        attributes = f' locale="{tag}"' if current_language().path else ""
        attributes += "".join(f' {key}="{escape(",".join(value))}"' for key, value in sorted(values.items()))
        return {
            "preview": frame,
            "element": (
                f'<script src="{base}/embed.js" defer></script>\n'
                f'<activity-stream{attributes}>\n  <a href="{here}/">{escape(title)}</a>\n</activity-stream>'
            ),
            "iframe": (
                f'<iframe src="{escape(here + frame)}" title="{escape(title)}" width="100%" height="480" '
                'loading="lazy"></iframe>'
            ),
            "include": f"{here}/embed/items{items}",
        }

    def _selections(self, values: "Mapping[str, list[str]]", sources: "Sequence[SourceRef]") -> list[Selection]:
        vocabulary = self._configuration.vocabulary
        countries = sorted(
            ((country.code, name(country.code, current_language().locale)) for country in vocabulary.participants),
            key=lambda pair: sort_key(pair[1]),
        )
        networks = [(network.name, network_label(network)) for network in all_networks()]
        offered: list[tuple[str, str, str, Sequence[tuple[str, str]]]] = [
            ("kind", gettext("Kind"), gettext("All kinds"), [(kind.value, label) for kind, label in plurals().items()]),
            (
                "topic",
                gettext("Topic"),
                gettext("All topics"),
                [(topic.slug, topic.label_in(current_language().locale)) for topic in vocabulary.topics],
            ),
            ("country", gettext("Country"), gettext("All countries"), countries),
            ("network", gettext("Network"), gettext("All networks"), networks),
            ("source", gettext("Source"), gettext("All sources"), [(source.slug, source.name) for source in sources]),
            ("theme", gettext("Colors"), "", [(name, gettext(text)) for name, text in _COLORS]),
        ]
        return [
            Selection(parameter, label, every, options, values.get(parameter, [""])[0])
            for parameter, label, every, options in offered
            if options
        ]


def _check(values: "Mapping[str, Sequence[str]]") -> None:
    """Check the values that are no filters.

    Raises:
        BadRequestError: one of them is invalid.
    """
    whole_number("limit", values, default=1, least=1, most=MOST_ITEMS)
    if values.get("theme", ["auto"])[0] not in THEMES:
        raise BadRequestError(f"theme must be one of: {', '.join(THEMES)}.")
