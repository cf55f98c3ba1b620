"""Describe the fields of JSON responses."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

Instant = Annotated[datetime, Meta(tz=True)]  # aware, which the schema shows as date-time


def described(description: str, *examples: object) -> Meta:
    """Return the description of a field for the OpenAPI document."""
    return Meta(description=description, examples=list(examples) or None)
