"""Addresses as they may be told."""

from __future__ import annotations

import time

import pytest

from chalicelib.core.urls import shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://shop.example/a?b=c@d", "https://shop.example/a?b=c@d"),
        ("https://user:secret@shop.example/a", "https://***@shop.example/a"),
        ("https://secret@shop.example", "https://***@shop.example"),
        ("https://a:secret@b:secret@shop.example/@", "https://***@shop.example/@"),
        ("https://user:secret@[::1", "https://***@[::1"),
        ("https:/user:secret@x", "https:/***@x"),
        ("//user:secret@x", "//***@x"),
        ("user:secret@x", "user:***@x"),
        ("https://" + "secret" * 1_000 + "@x", "https://***@x"),
        ("", ""),
        ("https://" + "x" * 300, "https://" + "x" * 192),
    ],
)
def test_without_a_password(text: str, told: str) -> None:
    assert shown(text) == told


@pytest.mark.parametrize("text", [":" * 1_000_000, "@" * 1_000_000, "https://" + ":@" * 500_000, "/" * 1_000_000])
def test_in_time_that_grows_with_the_text_alone(text: str) -> None:
    began = time.process_time()
    assert len(shown(text)) <= 200
    assert time.process_time() - began < 1
