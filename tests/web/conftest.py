"""Provide the fixtures of the reader, which serves the shared parts of web apps."""

from __future__ import annotations

from tests.reader.conftest import compiled_templates, empty_reader

__all__ = ["compiled_templates", "empty_reader"]
