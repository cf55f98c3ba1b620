"""Translate the texts of the configuration files: tables of other texts by language, beside the texts. Pure."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  # pydantic reads it
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import AfterValidator, BaseModel

from aggregator.domain.tagging.countries import is_language

if TYPE_CHECKING:
    from collections.abc import Collection

_Model = TypeVar("_Model", bound=BaseModel)


def _checked_language(tag: str) -> str:
    if not is_language(tag):
        raise ValueError(f"{tag!r} is not a known language; use a code such as fr")
    return tag


LanguageTag = Annotated[str, AfterValidator(_checked_language)]


def for_language(translations: Mapping[str, _Model], language: str) -> _Model | None:
    """Return the texts for a language (BCP 47): those of its tag, else those of its language."""
    return translations.get(language) or translations.get(language.partition("-")[0].lower())


def translated(model: _Model, translations: Mapping[str, BaseModel], language: str) -> _Model:
    """Return a model with the texts that are translated to a language."""
    found = for_language(translations, language)
    if found is None:
        return model
    return model.model_copy(update={name: getattr(found, name) for name in found.model_fields_set})


def unknown_tag(tags: Collection[str]) -> str | None:
    """Return a tag that is no known language."""
    return next((tag for tag in tags if not is_language(tag)), None)
