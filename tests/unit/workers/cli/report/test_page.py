"""The page of a report: whole, by itself, and with the very numbers of the JSON."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import msgspec
import pytest

from payments.flows.report.report import Report
from tests.reports import busy, changed, quiet
from workers.cli.report_forms import looked_up
from workers.cli.report_page.page import as_html

REPORTS = {
    "busy": busy(),
    "quiet": quiet(),
    "without Redis": changed(changed(busy(), "breakers", None), "breakers_unknown", "Redis does not answer"),
}
DRAWN_ONLY = re.compile(
    r"version|breakers\.complete|breakers\.breakers\.\d+\.spans.*|trend\.steps\.\d+\.seconds|errors\.by_type.*|"
    r"impact\.money\.\d+\.(decimals|amount_minor|open_amount_minor)|recovery\.retries\.failure_type|errors\.events|"
    r"errors\.top\.\d+\.category"
)
"""What the page draws, says in words, or tells in another form, instead of writing it as a number."""


def page_of(report: Report) -> ET.Element:
    return ET.fromstring(as_html(report))  # noqa: S314 - our own page


def leaves(told: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - builtins of any shape
    if isinstance(told, dict | list | tuple):
        items = told.items() if isinstance(told, dict) else enumerate(told)
        for name, value in items:
            yield from leaves(value, f"{path}.{quote(str(name)).replace('.', '%2E')}".lstrip("."))
    elif told is not None:
        yield path


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_every_number_on_the_page_is_that_of_the_json(report: Report) -> None:
    told = msgspec.json.decode(msgspec.json.encode(report))
    shown = page_of(report).findall(".//data")
    assert len(shown) > 40
    for each in shown:
        assert msgspec.json.decode(each.get("value", "")) == looked_up(told, each.get("data-path", "")), each.attrib


def test_every_number_of_the_json_is_on_the_page() -> None:
    report = busy()
    shown = {each.get("data-path") for each in page_of(report).findall(".//data")}
    missing = [path for path in leaves(msgspec.to_builtins(report)) if path not in shown]
    assert [path for path in missing if not DRAWN_ONLY.fullmatch(path)] == []


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_page_needs_nothing_else_and_runs_nothing(report: Report) -> None:
    html = as_html(report)
    page = page_of(report)
    assert not re.search(r"https?:|url\(|@import|javascript:", html)
    assert {each.tag for each in page.iter()} & {"script", "link", "img", "iframe", "object", "a"} == set()
    assert not [
        name for each in page.iter() for name in each.attrib if name in {"src", "href"} or name.startswith("on")
    ]


def test_every_chart_says_what_it_is_and_has_a_table_beside_it() -> None:
    page = page_of(busy())
    charts = page.findall(".//svg")
    assert len(charts) == 5
    for chart in charts:
        assert chart.get("role") == "img"
        told = {each.get("id"): each.text for each in chart if each.tag in {"title", "desc"}}
        assert [bool(told[name]) for name in chart.get("aria-labelledby", "").split()] == [True, True]
    for section in page.findall(".//section"):
        assert section.find(".//svg") is None or section.find(".//table") is not None
        assert section.get("aria-labelledby") in {head.get("id") for head in section.findall("h2")}


def test_what_is_drawn_has_a_colour_in_light_and_in_dark() -> None:
    html, page = as_html(busy()), page_of(busy())
    style = html[html.index("<style>") : html.index("</style>")]
    dark = style[style.index("prefers-color-scheme: dark") :]
    for kind in {str(each.get("class")) for each in page.findall(".//rect")}:
        rule = re.search(rf"\.{kind} {{ fill: (var\(--[a-z_]+\));", style)
        assert rule is not None, kind
        assert rule[1][4:-1] in dark


def test_words_of_others_are_escaped() -> None:
    html = as_html(busy())
    assert "&lt;nobody&gt; picked up &amp; went" in html
    assert "<nobody>" not in html


@pytest.mark.parametrize("code", ["a%2Eb.c", "<script>", "\x1b[31m", "\u202e", "{{ 7 * 7 }}", "]]>", "", "[/red]"])
def test_whatever_a_code_of_others_holds_the_page_can_be_read(code: str) -> None:
    report = changed(quiet(), "dead_letters.came_in_by_reason", {code: 41})
    page = as_html(report)
    ET.fromstring(page)  # noqa: S314 - our own page
    assert ">41</data>" in page
    assert not re.search("<script>|\x1b|\u202e", page)


def test_what_is_to_be_typed_looks_so() -> None:
    codes = [each.text for each in page_of(busy()).findall(".//ol//code")]
    assert "payferry top" in codes


def test_without_redis_the_page_says_why_the_breakers_are_missing() -> None:
    html = as_html(REPORTS["without Redis"])
    assert "Redis does not answer" in html
    assert 'id="breakers-title"' not in html
