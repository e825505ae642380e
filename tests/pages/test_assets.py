from __future__ import annotations

import base64
import hashlib
import re

import pytest

from shadowproxy.pages import assets


def test_the_plot_library_is_there_with_its_licence() -> None:
    assert "uPlot (v1.6.32)" in assets.text(assets.UPLOT_JS)
    assert "MIT License" in assets.text("uplot/LICENSE")
    assert ".uplot" in assets.text(assets.UPLOT_CSS)


def test_what_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        assets.raw("nothing.css")


def test_a_page_s_style_is_known_to_its_policy_by_its_hash() -> None:
    digest = base64.b64encode(hashlib.sha256(b"p{}").digest()).decode()
    assert assets.source("p{}") == f"'sha256-{digest}'"


def test_styles_need_no_other_origin() -> None:
    for name in (assets.BASE_CSS, assets.UPLOT_CSS):
        assert not re.search(r"url\(|@import|https?:", assets.text(name))


def test_dark_and_light_define_the_same_colours() -> None:
    light, dark = (
        set(re.findall(r"(--[a-z-]+):", block))
        for block in re.findall(r":root \{(.*?)\n *\}", assets.text(assets.BASE_CSS), re.S)
    )
    assert light - dark == {"--mono"}
    assert dark <= light
