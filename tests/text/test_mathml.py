"""Check that formulas keep their characters, also in titles and under a prefix."""

from __future__ import annotations

import time

import pytest

from aggregator.text.html import clean_html, plain_text, text_of_clean


@pytest.mark.parametrize(
    ("formula", "html"),
    [
        ("<mi>x</mi><mo>=</mo><mn>2</mn>", "x=2"),
        ("<mrow>\n <mi>x</mi>\n <mo>&lt;</mo>\n <mn>2</mn>\n</mrow>", "x&lt;2"),
        ("<msup><mi>x</mi><mn>2</mn></msup>", "x<sup>2</sup>"),
        ("<msub><mi>CO</mi><mn>2</mn></msub>", "CO<sub>2</sub>"),
        ("<msubsup><mi>a</mi><mi>i</mi><mn>2</mn></msubsup>", "a<sub>i</sub><sup>2</sup>"),
        ("<mfrac><mn>1</mn><mn>3</mn></mfrac>", "1/3"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mi>c</mi></mfrac>", "(a+b)/c"),
        ("<msqrt><mi>x</mi></msqrt>", "√x"),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", "√(x+1)"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "<sup>3</sup>√x"),
        ("<mfenced open='['><mi>a</mi><mi>b</mi></mfenced>", "[a, b)"),
        ("<mtext>if </mtext><mi>x</mi>", "if x"),
        ("<mn>2</mn><mo>&InvisibleTimes;</mo><mi>x</mi>", "2x"),
        ("<semantics><mi>x</mi><annotation>\\LaTeX</annotation></semantics>", "x"),
        ("<mtable><mtr><mtd>1</mtd><mtd>2</mtd></mtr><mtr><mtd>3</mtd></mtr></mtable>", "1, 2; 3"),
        ("<mtext><script>alert(1)</script></mtext><mi onclick=alert(1)>x</mi>", "x"),
        ("<mfrac><mi>x</mi></mfrac>", "x"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x¯"),
    ],
)
def test_a_formula_becomes_text(formula: str, html: str) -> None:
    expected = f"<p>Of {html} percent</p>"
    assert clean_html(f"<p>Of <math display='inline'>{formula}</math> percent</p>") == expected
    prefixed = formula.replace("</m", "</mml:m").replace("<m", "<mml:m").replace("<mml:m", "<mml:m")
    if "<a" not in formula and "<s" not in formula:
        assert clean_html(f"<p>Of <mml:math>{prefixed}</mml:math> percent</p>") == expected


def test_a_title_keeps_its_formula() -> None:
    assert plain_text("Growth of <math><mi>x</mi><mo>=</mo><mn>2</mn></math> percent") == "Growth of x=2 percent"


def test_an_empty_formula_has_its_alternative_text() -> None:
    assert text_of_clean(clean_html('a <math alttext="x^2"></math> b')) == "a x^2 b"
    assert text_of_clean(clean_html('a <math alttext="x^2"/> b')) == "a x^2 b"


def test_an_unclosed_formula_ends_with_the_paragraph() -> None:
    assert clean_html("<p>a <math><mi>x</mi><p>The rest</p>") == "<p>a x</p><p>The rest</p>"


@pytest.mark.parametrize("piece", ["<math>", "<math><mrow>", "<mfrac>", "<math></math>", "<math><msup><mi>x</mi>"])
def test_many_formulas_take_linear_time(piece: str) -> None:
    began = time.process_time()
    clean_html("<math>" + piece * (9_000 // piece.count("<")))
    assert time.process_time() - began < 5
