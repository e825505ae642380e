"""Each format by its golden file, and what a stranger's text may not do in any of them."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shadowproxy.pages import assets
from shadowproxy.report.html.gates import interval
from shadowproxy.report.html.page import STYLES, html
from shadowproxy.report.junit import junit
from shadowproxy.report.markdown import code, escaped, markdown
from shadowproxy.report.record import Report
from shadowproxy.report.render import FORMATS, as_text
from shadowproxy.report.screen import screen
from tests.report.golden.log import FILES, HERE, made
from tests.support.browser import needs_chromium, opened, too_wide
from tests.support.judged import gate, undecided, with_gates
from tests.support.pairs import PairLog, answer, compared, differing, differs, incomparable, noisy
from tests.support.reports import report_on

NASTY = "</style></title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[2J`|@all ]]>&amp;\u202e\x00"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return made(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A stranger chose every name, path, value and body of this log."""
    log = PairLog(tmp_path_factory.mktemp("nasty"), production=NASTY)
    more = {"candidate": NASTY, "trial": NASTY, "route": NASTY, "slices": {NASTY: NASTY}}
    log.pair(times=30, twin=answer(body=NASTY), noise=noisy(NASTY, NASTY), **more)
    log.pair(
        times=3,
        shadow=answer(body=json.dumps({NASTY: NASTY}), upstream=NASTY),
        comparison=differing(NASTY, NASTY + "!", differences=[differs(NASTY, NASTY, NASTY, NASTY)]),
        **more,
    )
    log.pair(shadow=answer(500, bad=True, body=NASTY, error=NASTY), comparison=incomparable(NASTY), **more)
    log.pair(comparison=compared("different", differences=[differs(NASTY)]), **more)
    log.ledger(candidate=NASTY, trial=NASTY, requests=50, excluded={NASTY: 15}, eligible=35, sent=35,
               finished={NASTY: 35}, logged=35)  # fmt: skip
    report = report_on(log.write(), bodies=True)
    return with_gates(report, gate(title=NASTY, about=NASTY, name=NASTY), undecided(explanation=NASTY, value=NASTY),
                      name=NASTY, banners=[NASTY])  # fmt: skip


@pytest.mark.parametrize("form", FILES)
def test_the_golden_report(found: Report, form: str) -> None:
    expected = (HERE / FILES[form]).read_text(encoding="utf-8")
    assert FORMATS[form](found) == expected, "if the change is meant: python -m tests.report.golden"


def test_every_format_has_a_golden_file() -> None:
    assert set(FILES) == set(FORMATS)


def test_a_gate_is_a_case(found: Report) -> None:
    part = gate(value="DE", name="error_rate_increase{slice=country:*}")
    judged = with_gates(
        found,
        gate(),
        gate("disagreement", "PASS", unit="%", limit=0.05),
        undecided(),
        gate(name="error_rate_increase{slice=country:*}", parts=[part]),
    )
    suites = ElementTree.fromstring(junit(judged))
    (suite,) = suites
    assert (suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("v2", "5", "3", "1")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert list(cases) == [
        "error_rate_increase <= 0.5 pp",
        "disagreement <= 5 %",
        "slower_share{by=10%} <= 10 pp",
        "error_rate_increase{slice=country:*} <= 0.5 pp",
        "error_rate_increase{slice=country:*} [DE] <= 0.5 pp",
    ]
    failure = cases["error_rate_increase <= 0.5 pp"].find("failure")
    assert failure is not None
    assert "+1.2 pp (0.9 … 1.6)" in (failure.text or "")
    skipped = cases["slower_share{by=10%} <= 10 pp"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "INCONCLUSIVE: there are too few pairs to decide"


def test_a_stranger_s_text_is_well_formed_xml(nasty: Report) -> None:
    suites = ElementTree.fromstring(junit(nasty))
    assert suites.get("failures") == "1"


def test_a_stranger_s_text_formats_nothing_in_markdown(nasty: Report) -> None:
    text = markdown(nasty)
    outside = re.sub(r"(`+).*?\1", "", re.sub(r"\\.", "", text))
    assert not re.search(r"<(?!sub>|/sub>|br>|details>|/details>|summary>|/summary>|!-- -->)", outside)
    assert not re.search(r"@\w", outside)
    assert not re.search(r"[^\x20-\x7e\n]", outside.encode("ascii", "ignore").decode())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("*x* _y_", "\\*x\\* \\_y\\_"),
        ("@team #12", "@<!-- -->team \\#12"),
        ("https://x.example", "https://<!-- -->x.example"),
        ("<b>&", "&lt;b>&amp;"),
        ("[a](b) ![c](d)", "\\[a\\](b) !\\[c\\](d)"),
    ],
)
def test_markdown_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize(("text", "shown"), [("$.a", "`$.a`"), ("a`b", "``a`b``"), ("`a", "`` `a ``")])
def test_code_spans_hold_backticks(text: str, shown: str) -> None:
    assert code(text) == shown


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


def test_a_page_holds_no_script_whatever_the_log_says(nasty: Report) -> None:
    tags = read(html(nasty)).tags
    assert {tag for tag, _ in tags} & {"script", "img", "iframe", "link", "object", "form", "base"} == set()
    assert not [name for _, attrs in tags for name in attrs if name.startswith("on") or name == "style"]
    assert {attrs["href"] for tag, attrs in tags if tag == "a"} <= {f"#{attrs.get('id')}" for _, attrs in tags}


def test_a_page_s_policy_lets_only_its_own_style_through(found: Report) -> None:
    tags = read(html(found)).tags
    (policy,) = (attrs["content"] for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy")
    style = "".join(map(assets.text, STYLES))
    assert policy == f"default-src 'none'; style-src {assets.source(style)}; base-uri 'none'; form-action 'none'"


def test_formats_say_the_same_words(found: Report) -> None:
    judged = with_gates(found, gate(), undecided())
    shown = screen(judged.candidates["v2"])
    page = " ".join("".join(read(html(judged)).said).split())
    text, pull = " ".join(as_text(judged).split()), markdown(judged)
    for words in (shown.heading, shown.summary, shown.not_known, *(figure.shown for figure in shown.scale)):
        assert words in page
        assert words in text
        assert escaped(words) in pull
    for row in shown.rows:
        for figure in (row.old, row.new, row.difference, row.limit, row.verdict):
            assert figure.shown in page
            assert figure.shown in text
            assert escaped(figure.shown) in pull


def test_every_figure_of_the_first_screen_has_its_title_on_the_page(found: Report) -> None:
    judged = with_gates(found, gate(), undecided())
    titles = {attrs.get("title") for _, attrs in read(html(judged)).tags}
    shown = screen(judged.candidates["v2"])
    for row in shown.rows:
        assert {figure.title for figure in (row.old, row.new, row.difference, row.limit) if figure} <= titles
    assert {figure.title for figure in shown.scale} <= titles


def test_examples_can_be_left_out(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    log.pair(times=20, comparison=differing(), shadow=answer(body="secret"))
    root = log.write()
    assert "secret" in html(report_on(root, bodies=True))
    without = html(report_on(root, bodies=True, examples=False))
    assert "secret" not in without
    assert "shadowproxy show" not in without


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_browser_shows_the_page_without_complaint_or_request(
    found: Report, tmp_path: Path, scheme: str
) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(html(with_gates(found, gate(), undecided())), encoding="utf-8")
    async with opened(viewport={"width": 1280, "height": 900}, color_scheme=scheme) as seen:
        await seen.page.goto(page_file.as_uri())
        ground = await seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")  # the style was let through
        assert await seen.page.locator("svg.chart").count() == 5
        check = found.candidates["v2"].self_check
        checked = [one for one in (check.gates if check else []) if one.estimate is not None]
        assert await seen.page.locator("svg.interval circle").count() == 2 + len(checked)
        assert await too_wide(seen.page) == []
        assert seen.complaints == []
        assert seen.asked == [page_file.as_uri()]


@needs_chromium
async def test_a_stranger_s_text_does_nothing_in_a_browser_even_on_a_phone(nasty: Report, tmp_path: Path) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(html(nasty), encoding="utf-8")
    async with opened(viewport={"width": 375, "height": 800}) as seen:
        await seen.page.goto(page_file.as_uri())
        assert await too_wide(seen.page) == []
        assert await seen.page.locator("script, img").count() == 0
        assert "alert(1)" in await seen.page.inner_text("main")
        assert seen.complaints == []
        assert seen.asked == [page_file.as_uri()]


@needs_chromium
async def test_paper_gets_every_section(found: Report, tmp_path: Path) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(html(found), encoding="utf-8")
    async with opened(color_scheme="dark") as seen:
        await seen.page.goto(page_file.as_uri())
        await seen.page.emulate_media(media="print")
        ground = await seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(255, 255, 255)"  # also where the screen is dark
        assert not await seen.page.locator("nav.contents").first.is_visible()
        for heading in await seen.page.locator("h3").all():
            assert await heading.is_visible()


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (-0.001, 0.002), (None, 0.002)])
def test_a_gate_at_zero_is_drawn_to_its_own_scale(low: float | None, high: float | None) -> None:
    drawn = str(interval(gate("nonfinite_increase", "PASS", limit=0.0, estimate=0.0, low=low, high=high)))
    dot = re.search(r'<circle cx="([\d.]+)"', drawn)
    end = re.search(r'<line class="bar[^"]*" x1="[\d.]+" x2="([\d.]+)"', drawn)
    assert dot is not None
    assert end is not None
    assert 2 < float(dot[1]) <= float(end[1]) < 278


def test_numbers_are_shown_with_how_far_they_lie_apart(tmp_path: Path) -> None:
    log = PairLog(tmp_path / "log")
    for n in range(30):
        log.pair(comparison=compared(labels=(n + 0.5, n + 1.5), metrics={"difference": 1.0}))
    page = html(report_on(log.write()))
    assert "How far the numbers lie apart" in page
    assert re.search(r">Wasserstein</th>\s*<td[^>]*><span[^>]*>1</span>", page)
