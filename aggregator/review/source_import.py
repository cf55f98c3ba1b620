"""Import a list of sources: OPML of any feed reader or portal, or TOML of `source export`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import AggregatorError, BadRequestError
from aggregator.domain.source_import import ImportReport, ImportStatus, UploadedDocument
from aggregator.review.context import DeskRoute
from aggregator.review.form import BadFormError
from aggregator.review.sources import POLICIES, policy_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from aggregator.review.context import DeskContext, DeskRequest

# Adds the sources of a document on behalf of a user; raises a BadRequestError if the document as a whole is invalid.
ImportDocument = Callable[[UploadedDocument, str], ImportReport]

LARGEST_DOCUMENT = 2 * 1024 * 1024  # bytes
_LONGEST_NAME = 200  # characters


class ImportPages:
    """The pages that import a list of sources."""

    def __init__(self, desk: DeskContext, import_document: ImportDocument) -> None:
        self._desk = desk
        self._import = import_document

    def routes(self) -> Iterable[DeskRoute]:
        """Return the routes."""
        yield DeskRoute("GET", "/sources/import", Role.EDITOR, self.blank)
        yield DeskRoute("POST", "/sources/import", Role.EDITOR, self.run, uploads=True)

    def blank(self, request: DeskRequest) -> Response:
        """Show an empty form."""
        return self._page(request, {})

    def run(self, request: DeskRequest) -> Response:
        """Preview a document, or add its sources."""
        try:
            preview = request.form.choice("do", ["preview", "import"]) == "preview"
            document = _document(request, preview=preview)
            report = self._import(document, request.account.name)
        except (BadFormError, BadRequestError) as problem:
            return self._page(request, {"complaint": str(problem)}, 422)
        except AggregatorError as problem:
            return self._page(request, {"complaint": str(problem)}, 503)
        values = {
            "report": report,
            "preview": preview,
            "addable": report.count(ImportStatus.PLANNED),
            "document": base64.b64encode(document.body).decode() if preview else "",
            "name": document.name,
        }
        return self._page(request, values)

    def _page(self, request: DeskRequest, values: dict[str, Any], status: int = 200) -> Response:
        usual = {"complaint": "", "report": None, "preview": False, "addable": 0, "document": "", "name": ""}
        return self._desk.page(
            request, "source-import.html", {**usual, "policies": POLICIES, "form": request.form, **values}, status
        )


def _document(request: DeskRequest, *, preview: bool) -> UploadedDocument:
    policy, delay = policy_of(request.form)
    body, name = _body(request)
    if len(body) > LARGEST_DOCUMENT:
        raise BadFormError(f"The document is larger than {LARGEST_DOCUMENT // (1024 * 1024)} MB; split it.")
    return UploadedDocument(body, name, policy, delay, preview)


def _body(request: DeskRequest) -> tuple[bytes, str]:
    """Return the document: the one that was previewed, else the file, else the text."""
    if previewed := request.form.text("document", most=2 * LARGEST_DOCUMENT):
        try:
            return base64.b64decode(previewed, validate=True), request.form.text("name", most=_LONGEST_NAME)
        except binascii.Error:
            raise BadFormError("The previewed document is damaged; choose the file again.") from None
    if upload := request.form.upload("file"):
        return upload.body, upload.name
    if text := request.form.text("text", most=LARGEST_DOCUMENT):
        return text.encode(), ""
    raise BadFormError("Choose a file, or paste its text.")
