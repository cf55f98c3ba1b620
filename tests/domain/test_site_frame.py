"""Test the frame of a site: contrast of colors, the style sheet, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aggregator.domain.errors import ConfigurationError
from aggregator.domain.portal_page import Portal
from aggregator.domain.site_frame import DARK, LIGHT, PLAIN, VARIABLES, contrast, low_contrasts, theme_css

SHEET = Path(__file__).parents[2] / "aggregator" / "web" / "static" / "site.css"


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#0b5a62", "#0b5a62") == 1


def test_the_defaults_are_the_colors_of_the_style_sheet() -> None:
    light, dark = SHEET.read_text("utf-8").split("@media (prefers-color-scheme: dark)")[:2]
    for defaults, rules in ((LIGHT, light), (DARK, dark)):
        for name, color in defaults.items():
            assert re.search(rf"--{VARIABLES[name]}: {color};", rules), name
    assert list(low_contrasts(PLAIN)) == []


@pytest.mark.parametrize(
    ("colors", "message"),
    [
        ('[site.colors]\npage = "#ffffff"\naccent = "#ffdd00"', r"^Line 5: site\.colors\.accent: accent #ffdd00"),
        ('[site.colors]\nheader = "#f0f0f0"', r"^Line 4: site\.colors\.header: .* contrast of 1\.\d:1"),
        ('[site.colors_dark]\ntext = "#333333"', r"^Line 4: site\.colors_dark\.text: "),
        ('[site.colors]\naccent = "blue"', r"^Line 4: site\.colors\.accent: 'blue' is not a color such as"),
    ],
)
def test_colors_that_cannot_be_read_are_refused_with_their_line(colors: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Portal.of(f'name = "A"\n\n{colors}\n')


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('[site]\nlogo = "../secret.svg"', r"^Line 2: site\.logo"),
        ('[site]\nlogo = "logo.exe"', r"^Line 2: site\.logo"),
        ('[site]\n\nnavigation = [{ label = "a", url = "javascript:alert(1)" }]', r"^Line 3: site\.navigation\.1\.url"),
        ('[site]\nlegal = [{ label = "a", url = "//evil.example" }]', r"^Line 2: site\.legal\.1\.url"),
        ('[site.fonts]\ntext = "a;}body{display:none"', r"^Line 2: site\.fonts\.text"),
        ('name = "A"\n[accessibility]\norganization = "A"', r"^Line 2: accessibility\.contact"),
    ],
)
def test_other_values_of_the_frame_are_refused_with_their_line(toml: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Portal.of(toml)


def test_the_style_sheet_sets_each_theme_alone() -> None:
    toml = '[site.colors]\naccent = "#003399"\n[site.colors_dark]\nheader = "#001133"\n[site.fonts]\ntext = "Arial"\n'
    made = theme_css(Portal.of(toml).site)
    assert made == (
        "@media (prefers-color-scheme:light){:root{--accent:#003399;--accent-ground:#e0e7f3;}}"
        "@media (prefers-color-scheme:dark){:root{--band:#001133;}}:root{--sans:Arial;}"
    )
    assert theme_css(PLAIN) == ""
