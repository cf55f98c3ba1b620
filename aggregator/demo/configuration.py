"""Write the configuration of the demo: the sample folder of the project with the page of April 2014."""

from __future__ import annotations

import json
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAMPLE = Path(__file__).parents[2] / "config"  # the sample folder of the project
_PAGE = ("portal.toml", "countries.csv")


def write_configuration(folder: Path, accounts: Sequence[str] = ()) -> Path:
    """Write a configuration folder and return its path.

    Args:
        folder: in which it is created.
        accounts: the accounts of the portal, "NETWORK:HANDLE".
    """
    made = shutil.copytree(_SAMPLE, folder / "config")
    with as_file(files("aggregator.demo") / "page_2014") as page:
        for name in _PAGE:
            shutil.copyfile(page / name, made / name)
        with (made / "topics.toml").open("a", encoding="utf-8") as topics:
            topics.write("\n" + (page / "cohorts.toml").read_text("utf-8"))
    if accounts:
        text = f"[organizations.ogp]\naccounts = {json.dumps(list(accounts))}\n"
        (made / "organizations.toml").write_text(text, "utf-8")
    return made
