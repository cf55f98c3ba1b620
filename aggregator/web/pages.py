"""Render templates in one autoescaping environment; only stored, sanitized HTML is not escaped."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from jinja2.utils import Namespace
from markupsafe import Markup, escape

from aggregator.domain.compliance.ids_only import embedded_id
from aggregator.domain.networks import network_of
from aggregator.domain.post_parts import preview_of, quoted_post, quoting_post, without_original
from aggregator.domain.tagging import countries
from aggregator.text.directions import is_right_to_left
from aggregator.text.html import excerpt
from aggregator.web import pictures
from aggregator.web.addresses import site_name, web_address
from aggregator.web.assets import assets_of
from aggregator.web.dates import Dates, html_time, sortable_time
from aggregator.web.labels import (
    about_this,
    announced,
    handle_of,
    is_named_as_handle,
    label,
    listed,
    phrase,
    reposted,
    reposted_by,
)
from aggregator.web.picture_addresses import avatar_path, picture_path, with_own_pictures
from aggregator.web.translation import current_language, gettext, native_name, plural_form, plural_forms
from aggregator.web.video_players import player

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from starlette.requests import Request

    from aggregator.domain.activity import Actor
    from aggregator.domain.clock import Clock
    from aggregator.web.assets import Asset

_OURS = "aggregator.web"
_NO_LINK = re.compile(r'<a(?: (?!href=)[a-z]+="[^"]*")*? rel="nofollow noopener">')


class Pages:
    """Renders the templates of some packages, then those of this one.

    `home` is the path of the app, below which its static files and pictures are, too. `ids_only` are the networks whose
    posts only their own embeds show.
    """

    def __init__(
        self,
        packages: Sequence[str],
        *,
        dates: Dates,
        public_url: str | None,
        prefix: str,
        home: str = "",
        ids_only: Collection[str] = (),
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self.frames = sorted(filter(None, (network_of(name).embed_origin for name in ids_only)))
        self.assets: Mapping[str, Asset] = assets_of([_OURS, *packages])
        self._dates = dates
        self.home = home
        self._prefix = prefix
        self._current: Callable[[], Mapping[str, Any]] = dict
        self._public_url = public_url
        self._environment = self._made_environment(packages, clock)
        self._environment.globals.update(
            asset=lambda name: self.link(home + self.assets[name].path),
            framed=frozenset(ids_only),
            item_home=f"{home}/items/" if home else "/activities/",
            link=self.link,
            page_link=self.page_link,
            link_to=lambda address: self.link(address) if address.startswith("/") else address,
            plural_forms=plural_forms,
            stream_home=home or "/",
            public_url=public_url,
        )

    def _made_environment(self, packages: Sequence[str], clock: Clock) -> Environment:
        made = Environment(
            loader=ChoiceLoader([PackageLoader(package) for package in (*packages, _OURS)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        made.policies["ext.i18n.trimmed"] = True
        made.install_gettext_callables(gettext, plural_form, newstyle=True)  # type: ignore[attr-defined]
        made.filters.update(
            _FILTERS,
            day_or_hour=lambda moment: self.dates.day_or_hour(moment, self._dates.local_day(clock())),
            picture=self._picture,
            avatar=self._avatar,
            cleaned=self._cleaned,
        )
        made.tests["web"] = lambda address: web_address(address) is not None
        made.tests["right_to_left"] = lambda content: is_right_to_left(content.lang, content.text)
        made.tests["without_original"] = without_original
        made.tests["named_as_handle"] = is_named_as_handle
        return made

    @property
    def dates(self) -> Dates:
        """The formats of dates in the current language."""
        locale = current_language().locale
        return Dates.of(self._dates.zone, locale) if locale else self._dates

    def know(self, **values: object) -> None:
        """Add globals to all templates."""
        self._environment.globals.update(values)

    def know_current(self, values: Callable[[], Mapping[str, Any]]) -> None:
        """Add values to all templates that are read for each page."""
        self._current = values

    def _picture(self, address: str | None, item: int, size: str) -> str | None:
        return self.link(self.home + picture_path(item, address, size)) if address and web_address(address) else None

    def _avatar(self, actor: Actor) -> str | None:
        path = avatar_path(actor)
        return self.link(self.home + path) if path else None

    def _cleaned(self, html: str, item: int) -> Markup:
        """Mark stored `Content.html` as safe: it was sanitized before it was stored.

        A link whose address was dropped keeps no attribute: `rel` without `href` is invalid.
        """
        own = with_own_pictures(html, item, self.link(self.home))
        return Markup(_NO_LINK.sub("<a>", own))  # noqa: S704  # the one place where outside HTML passes unescaped

    def link(self, path: str) -> str:
        """Return the public address of a path."""
        return self._prefix + path

    def page_link(self, path: str) -> str:
        """Return the public address of a page in the current language."""
        return self.link(current_language().path + path)

    def base(self, request: Request) -> str:
        """Return the public URL of this installation."""
        return self._public_url or f"{request.url.scheme}://{request.url.netloc}{self._prefix}"

    def render(self, template: str, values: Mapping[str, Any]) -> bytes:
        """Return a page as UTF-8."""
        # The item whose content follows, for the addresses of its pictures; macros can't pass it to all that they call.
        known = {
            "showing": Namespace(item=0),
            "language": current_language(),
            "dates": self.dates,
            **self._current(),
            **values,
        }
        return self._environment.get_template(template).render(known).encode()


def _ticked(text: str) -> Markup:
    """Escape a text and render parts in backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped just here


def _length_of_time(seconds: float) -> str:
    """Return "1:23" or "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "about_this": about_this,
    "announced": announced,
    "attached": pictures.attached,
    "embedded_id": embedded_id,
    "excerpt": excerpt,
    "gallery": pictures.visible,
    "handle_of": handle_of,
    "label": label,
    "listed": listed,
    "phrase": phrase,
    "reposted": reposted,
    "reposted_by": reposted_by,
    "lead": pictures.lead,
    "length_of_time": _length_of_time,
    "machine_time": html_time,
    "sortable_time": sortable_time,
    "named": countries.name,
    "native_name": native_name,
    "network": network_of,
    "player": player,
    "preview_of": preview_of,
    "quoted_post": quoted_post,
    "quoting_post": quoting_post,
    "own_markup": Markup,  # for icons in our own templates
    "site_name": site_name,
    "still": pictures.still,
    "crop": pictures.crop,
    "ticked": _ticked,
    "translated": gettext,  # of a text that code marks as translatable; unlike `_`, it is escaped
    "web_address": web_address,
}
