"""What a Content-Type says."""

from __future__ import annotations

import pytest

from shadowproxy.compare.media import media_of

TYPES = [
    # content type, normal form, JSON, text
    ("application/json", "application/json", True, False),
    ("Application/JSON ; Charset=UTF-8", "application/json", True, False),
    ("application/vnd.api+json; v=1", "application/vnd.api+json;v=1", True, False),
    ("text/json", "text/json", True, False),
    ("text/html; charset=UTF-8", "text/html;charset=utf-8", False, True),
    ('text/plain; b=2 ; a="1"', "text/plain;a=1;b=2", False, True),
    ("image/svg+xml", "image/svg+xml", False, True),
    ("multipart/form-data; boundary=x1", "multipart/form-data", False, False),
    ("application/x-ndjson", "application/x-ndjson", False, True),  # many values, so text
    ("text/plain;", "text/plain", False, True),
    ("garbage", "garbage", False, False),
    ("", "", False, False),
    (None, "", False, False),
]


@pytest.mark.parametrize(("value", "normal", "is_json", "is_text"), TYPES)
def test_a_content_type_is_read(value: str | None, normal: str, is_json: bool, is_text: bool) -> None:
    media = media_of(value)
    assert (media.normal, media.is_json, media.is_text) == (normal, is_json, is_text)
