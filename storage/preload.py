"""Import the table classes early."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path


def preload() -> None:
    """Import every table class, so that the child processes of a worker share them."""
    for package in ("access", "api", "billing", "compliance", "moderation", "monitoring", "polling", "stream"):
        folder = str(Path(__file__).parent / package)
        for module in pkgutil.iter_modules([folder], f"storage.{package}."):
            import_module(module.name)
