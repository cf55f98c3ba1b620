"""Test which query parameters are removed, and how the list is updated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aggregator.text.tracking_params import parse, without_trackers

ROOT = Path(__file__).parents[2]
WELL_KNOWN = (
    *("utm_source", "utm_id", "fbclid", "gclid", "gad_source", "gbraid", "msclkid", "twclid", "ttclid", "igshid"),
    *("mc_eid", "_hsenc", "_ga", "_gl", "yclid", "dclid", "srsltid", "mkt_tok", "_kx", "li_fat_id", "awc", "irgwc"),
)


@pytest.mark.parametrize("name", WELL_KNOWN)
def test_well_known_parameters_go(name: str) -> None:
    assert without_trackers(f"id=1&{name}=x&page=2", "news.example") == "id=1&page=2"
    assert without_trackers(f"{name.upper()}=x", "news.example") == ""


@pytest.mark.parametrize(
    "query", ["id=1", "source=rss", "ref=main", "s=query", "t=42", "gid=7", "p=12&lang=en", "a&b=", "x=utm_source"]
)
def test_what_a_page_may_need_stays(query: str) -> None:
    assert without_trackers(query, "news.example") == query


def test_some_only_track_on_certain_hosts() -> None:
    assert without_trackers("v=1&si=abc", "www.youtube.com") == "v=1"
    assert without_trackers("v=1&si=abc", "news.example") == "v=1&si=abc"


def test_the_list_is_sorted_and_in_lower_case() -> None:
    data = (ROOT / "aggregator" / "text" / "tracking_params.txt").read_text(encoding="utf-8")
    lines = [line for line in data.splitlines() if line and not line.startswith("#")]
    names = [line for line in lines if "*" not in line and ":" not in line]
    assert names == sorted(set(names))
    assert lines == [line.lower() for line in lines]
    found = parse(data)
    assert not [name for name in found.names if name.startswith(found.prefixes)]


def test_a_filter_list_is_merged(tmp_path: Path) -> None:
    script = tmp_path / "scripts" / "update-tracking-params"
    data = tmp_path / "aggregator" / "text" / "tracking_params.txt"
    script.parent.mkdir()
    data.parent.mkdir(parents=True)
    script.write_bytes((ROOT / "scripts" / "update-tracking-params").read_bytes())
    data.write_text("# Names.\n\nutm_*\n\nb\nd\n\nhost.example: s\n", encoding="utf-8")
    rules = tmp_path / "rules.txt"
    rules.write_text(
        "! comment\n$removeparam=C\n$removeparam=utm_id\n$removeparam=a,domain=x.example\n"
        "/?e=$removeparam\n$removeparam=/^f/\n",
        encoding="utf-8",
    )
    subprocess.run([sys.executable, script, rules], check=True)
    assert data.read_text(encoding="utf-8") == "# Names.\n\nutm_*\n\nb\nc\nd\n\nhost.example: s\n"
