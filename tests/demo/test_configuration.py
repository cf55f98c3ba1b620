"""Test that the demo has the page of 2014, and that the sample folder works with any sources."""

from __future__ import annotations

from pathlib import Path

from aggregator.config.portal_folder import Configuration
from aggregator.demo.configuration import write_configuration
from aggregator.domain.portal_page import BlockType

SAMPLE = Path(__file__).parents[2] / "config"


def test_the_demo_has_the_page_of_2014(tmp_path: Path) -> None:
    read = Configuration(write_configuration(tmp_path, ["x:opengovpart", "bluesky:ogp.example"]))
    read.check()
    assert read.portal.name == "Open Government Partnership"
    assert sum(block.until is not None for block in read.portal.blocks) == 2
    assert len(read.vocabulary.participants) == 63
    assert set(read.vocabulary.cohort_names) == set(read.vocabulary.cohorts)
    assert len(read.organizations.by_account) == 2


def test_the_sample_names_no_source_no_account_and_no_day() -> None:
    read = Configuration(SAMPLE)
    read.check()
    assert {block.type for block in read.portal.blocks} == set(BlockType) - {BlockType.COUNTRIES}
    for block in read.portal.blocks:
        assert not (block.sources | block.accounts | block.topics | block.countries)
        assert block.since is block.until is None
    texts = [(SAMPLE / name).read_text("utf-8") for name in ("portal.toml", "topics.toml")]
    assert not any("2014" in text or "opengovpart" in text for text in texts)
