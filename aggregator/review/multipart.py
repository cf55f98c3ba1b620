"""Read a form with a file (multipart/form-data, RFC 7578), within limits."""

from __future__ import annotations

from email.message import Message
from typing import TYPE_CHECKING

from aggregator.review.form import BadFormError, Form, Upload

if TYPE_CHECKING:
    from collections.abc import Iterator

MEDIA_TYPE = "multipart/form-data"
MOST_PARTS = 100
_LONGEST_HEADERS = 4096  # bytes of one part
_LONGEST_NAME = 200  # characters of a file's name


def read_multipart(content_type: str, body: bytes) -> Form:
    """Return the fields and files of a form.

    Raises:
        BadFormError: it isn't well-formed, has too many parts, or a field isn't UTF-8.
    """
    fields: dict[str, list[str]] = {}
    files: dict[str, Upload] = {}
    for headers, content in _parts(_boundary(content_type), body):
        name = _parameter(headers, "name")
        file_name = _parameter(headers, "filename")
        if name is None:
            raise BadFormError("A part of the form has no name.")
        if file_name is not None:
            files[name] = Upload(file_name.replace("\\", "/").rpartition("/")[2][:_LONGEST_NAME], content)
            continue
        try:
            fields.setdefault(name, []).append(content.decode())
        except UnicodeDecodeError:
            raise BadFormError(f"The field {name[:80]!r} isn't UTF-8.") from None
    return Form(fields, files)


def _boundary(content_type: str) -> bytes:
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or not boundary.isascii() or not boundary:
        raise BadFormError("The form has no boundary between its parts.")
    return b"--" + boundary.encode()


def _parts(boundary: bytes, body: bytes) -> Iterator[tuple[Message, bytes]]:
    sections = (b"\r\n" + body).split(b"\r\n" + boundary, MOST_PARTS + 1)
    if len(sections) > MOST_PARTS + 1 or not sections[-1].startswith(b"--"):
        raise BadFormError("The form was cut off, or has too many parts.")
    for section in sections[1:-1]:
        head, separator, content = section.partition(b"\r\n\r\n")
        if not separator or len(head) > _LONGEST_HEADERS:
            raise BadFormError("A part of the form isn't well-formed.")
        yield _headers(head), content


def _headers(head: bytes) -> Message:
    headers = Message()
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, separator, value = line.partition(":")
        if separator and name.strip().lower() == "content-disposition":
            headers["Content-Disposition"] = " ".join(value.split())
    return headers


def _parameter(headers: Message, name: str) -> str | None:
    value = headers.get_param(name, header="content-disposition")
    return value if isinstance(value, str) else None
