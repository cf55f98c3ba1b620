"""Preview a source before it is added: its entries, and notes on repairs, guesses and omissions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import AggregatorError
from aggregator.review.context import HOME, DeskRoute
from aggregator.review.sources import POLICIES, option_field, options_in, policy_of
from aggregator.text.durations import spoken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.responses import Response

    from aggregator.domain.source import Json
    from aggregator.domain.source_options import KindForm
    from aggregator.domain.source_preview import SourcePreview
    from aggregator.review.context import DeskContext, DeskRequest

# Returns what would be stored of an address; raises an AggregatorError with the reason if it is no source.
Preview = Callable[[str, "Mapping[str, Json]"], "SourcePreview"]


class PreviewPages:
    """The page with the preview of a source."""

    def __init__(self, desk: DeskContext, preview: Preview, kinds: Sequence[KindForm]) -> None:
        self._desk = desk
        self._preview = preview
        self._kinds = kinds

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("POST", "/sources/preview", Role.EDITOR, self.show)

    def show(self, request: DeskRequest) -> Response:
        """Show what would be stored of an address; nothing is added."""
        form = request.form
        try:
            policy_of(form)
            found = self._preview(form.needed("address", most=2000), options_in(form, self._kinds))
        except AggregatorError as problem:
            filled = {"complaint": str(problem), "form": form, "kinds": self._kinds, "policies": POLICIES}
            return self._desk.page(request, "source-add.html", {**filled, "confirmed": ""}, 422)
        names = ["address", "policy", "delay"]
        names += [option_field(kind, option) for kind in self._kinds for option in kind.options]
        fields = [(name, texts[0]) for name in names if (texts := form.texts(name)) and texts[0]]
        values = {
            "found": found,
            "fields": fields,
            "confirmed": form.needed("address", most=2000),
            "pause": spoken(found.floor),
            "source": f"{HOME}/sources/{found.followed_as}" if found.followed_as else None,
        }
        return self._desk.page(request, "source-preview.html", values)
