"""The page: every number on it is looked up in the report by its path, and written with the path beside it."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from payments.flows.report.report import Report
from workers.cli.report_forms import looked_up, written
from workers.cli.report_page.charts import (
    breakers_chart,
    categories_chart,
    endings_chart,
    errors_chart,
    recovery_chart,
)
from workers.cli.report_page.drawing import WIDTH, Chart


def as_html(report: Report) -> str:
    """Return the report as one HTML file that needs nothing else."""
    told = msgspec.to_builtins(report)
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            report=report,
            charts=_charts(report),
            width=WIDTH,
            num=lambda path, form="number": _number(told, path, form),
            written=written,
        )
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("workers.cli.report_page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _charts(report: Report) -> Mapping[str, Chart]:
    charts = {
        "endings": endings_chart(report.trend),
        "errors": errors_chart(report.trend),
        "categories": categories_chart(report.errors.by_category),
        "recovery": recovery_chart(report.recovery.by_failure_type),
    }
    if report.breakers is not None:
        charts["breakers"] = breakers_chart(report.breakers, report.since, report.until)
    return charts


def _number(told: Any, path: str, form: str) -> Markup:  # noqa: ANN401 - builtins of any shape
    """Return what the report holds at `path`, such as `totals.by_ending.settled`, for people and for machines."""
    value = looked_up(told, path)
    machine = msgspec.json.encode(value).decode()
    shown = _TICKED.sub(r"<code>\1</code>", str(escape(written(value, form))))
    return Markup('<data value="{}" data-path="{}">{}</data>').format(machine, path, Markup(shown))  # noqa: S704 - escaped


_TICKED = re.compile("`([^`]+)`")
"""What is to be typed stands between backticks."""
