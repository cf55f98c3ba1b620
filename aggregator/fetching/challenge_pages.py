"""Recognize bot challenge pages (Cloudflare, hCaptcha and others) in place of a feed. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

READ = 64 * 1024  # bytes of a page that are searched

# Titles and parts of the pages of common bot managers; searched in HTML only.
_MARKS = re.compile(
    rb"<title>\s*(?:just a moment|attention required! \| cloudflare|ddos-guard|access denied \| [^<]*cloudflare"
    rb"|are you a robot|robot check|security check|verify(?:ing)? (?:that )?you are (?:a )?human|checking your browser"
    rb"|human verification|one more step|pardon our interruption|making sure you're not a bot)"
    rb"|/cdn-cgi/challenge-platform/|<script[^>]+src=[\"'][^\"']*(?:hcaptcha\.com/1/api|recaptcha/api|turnstile/v0/api)"
    rb"|geo\.captcha-delivery\.com|_incapsula_resource|<form[^>]+id=[\"']challenge-form",
    re.IGNORECASE,
)


def is_robot_check(headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether a response is a challenge page, by its headers and the beginning of its body."""
    if headers.get("cf-mitigated", "").strip().lower() == "challenge":
        return True
    html = headers.get("Content-Type", "").partition(";")[0].strip().lower() in {"text/html", "application/xhtml+xml"}
    return html and _MARKS.search(body[:READ]) is not None
