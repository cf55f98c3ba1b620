"""Decode documents as browsers do: labels of the WHATWG, UTF-8 wherever it is, U+FFFD for bytes that are none. Pure."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

UTF8 = "application/xml; charset=utf-8"
_BOMS = (
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_HEAD = 64 * 1024  # bytes at the beginning in which the declaration is looked for
_DECLARATION = re.compile(r"<\?xml\s[^<>]{0,300}?\?>", re.IGNORECASE)
_ENCODING = re.compile(rb"<\?xml\s[^<>]{0,200}?encoding\s*=\s*[\"']?\s*([A-Za-z0-9._:\-]{1,40})", re.IGNORECASE)
_ROOT = re.compile(rb"<(?:[\w.-]{1,20}:)?(?:rss|feed|rdf|channel)[\s>]", re.IGNORECASE)
_ROOT_OF_TEXT = re.compile(_ROOT.pattern.decode(), re.IGNORECASE)
_BESIDE = re.compile(r"(?:\s|<!--(?:(?!-->).){0,5000}-->|<\?(?:(?!\?>).){0,1000}\?>)*", re.DOTALL)
_LANGUAGE = re.compile(rb"(?:<(?:dc:)?language>\s*|xml:lang\s*=\s*[\"'])([A-Za-z]{2,3})(-[Tt][Ww]|-[Hh][Kk]|-[Hh]ant)?")
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?\s*([A-Za-z0-9._:\-]{1,40})", re.IGNORECASE)

# Codecs of Python by the labels that it does not know (https://encoding.spec.whatwg.org/#names-and-labels).
_LABELS = {
    "ansi": "cp1252", "dos-874": "cp874", "iso-8859-8-e": "iso8859-8", "iso-8859-8-i": "iso8859-8",
    "logical": "iso8859-8", "visual": "iso8859-8", "csiso88598e": "iso8859-8", "csiso88598i": "iso8859-8",
    "koi": "koi8-r", "koi8": "koi8-r",
    "cskoi8r": "koi8-r", "koi8-ru": "koi8-u", "ks_c_5601-1989": "cp949", "ksc_5601": "cp949", "korean": "cp949",
    "windows-949": "cp949", "windows-31j": "cp932", "ms_kanji": "cp932", "windows-936": "gb18030",
    "windows-950": "big5hkscs", "mac": "mac-roman", "macintosh": "mac-roman", "mac-ukrainian": "mac-cyrillic",
    "utf8mb4": "utf-8", "unicode-1-1-utf-8": "utf-8", "unicode11utf8": "utf-8", "unicode20utf8": "utf-8",
}  # fmt: skip
# A codec of Python, and the larger one that the label means on the web.
_ON_THE_WEB = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "shift_jis": "cp932", "euc_kr": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs",
    "cp950": "big5hkscs", "hz": "gb18030",
}  # fmt: skip
_EAST_ASIAN = frozenset({"cp932", "cp949", "gb18030", "big5hkscs", "euc_jp"})
_ESCAPING = frozenset({"iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_ext", "iso2022_kr"})
_SINGLE = frozenset(
    {f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}
    | {f"cp{number}" for number in (866, 874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)}
    | {"koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"}
)
# The usual encodings of a language, for documents that name none.
_UNLABELED = {
    "ru": "cp1251", "bg": "cp1251", "be": "cp1251", "uk": "cp1251", "mk": "cp1251", "sr": "cp1251",
    "pl": "cp1250", "cs": "cp1250", "sk": "cp1250", "hu": "cp1250", "sl": "cp1250", "hr": "cp1250", "bs": "cp1250",
    "ro": "cp1250", "sq": "cp1250", "lt": "cp1257", "lv": "cp1257", "et": "cp1257", "ar": "cp1256", "fa": "cp1256",
    "ur": "cp1256", "el": "cp1253", "tr": "cp1254", "he": "cp1255", "iw": "cp1255", "vi": "cp1258", "th": "cp874",
    "ja": "cp932 euc_jp", "zh": "gb18030", "ko": "cp949",
}  # fmt: skip
_CLEARLY = 10  # times as many characters of UTF-8 as other bytes


class Decoded(NamedTuple):
    """A document in UTF-8, without a byte order mark or a declaration of another encoding."""

    body: bytes
    notes: tuple[str, ...] = ()


def decoded(body: bytes, content_type: str) -> Decoded:
    """Convert a document to UTF-8.

    Args:
        body: the document.
        content_type: the header, for its charset; may be empty.
    """
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return _converted(body[len(mark) :], encoding, "")
    wide = _wide(body)
    if wide:
        return _converted(body, wide, "")
    header, declared = _header_label(content_type), _declared_label(body)
    labels = [label for label in (header, declared) if label]
    if header and declared and codec_of(header) == "cp1252":
        labels.reverse()  # a server's default knows less than the document
    known = [codec for label in labels if (codec := codec_of(label))]
    encoding, note = _encoding_of(body, known)
    return _converted(body, encoding, note, declared=declared)


def codec_of(label: str) -> str | None:
    """Return the codec that a label means on the web, or None for an unknown label."""
    label = label.strip().lower()
    plain = label.removeprefix("x-").removeprefix("x-")
    for name in (label, plain, plain.replace("windows", "windows-").replace("--", "-"), re.sub("^win-?", "cp", plain)):
        try:
            codec = codecs.lookup(_LABELS.get(name, name)).name
        except (LookupError, ValueError):
            continue
        codec = _ON_THE_WEB.get(codec, codec)
        if codec in _SINGLE or codec in _EAST_ASIAN or codec in _ESCAPING or codec in {"utf-8", "utf-8-sig"}:
            return codec.removesuffix("-sig")
    return None  # including UTF-16: these bytes are not


def _encoding_of(body: bytes, known: list[str]) -> tuple[str, str]:
    """Return the encoding of a document without a byte order mark, and a note if it is not one of the `known`."""
    others = [codec for codec in known if codec != "utf-8"]
    escaping = next((codec for codec in others if codec in _ESCAPING and b"\x1b" in body), None)
    if escaping or body.isascii():
        return escaping or "utf-8", ""
    valid, invalid = _counts(body)
    if not invalid:
        if others and others[0] in _EAST_ASIAN and _short_pairs(body, others[0]):
            return others[0], ""
        return "utf-8", f"The feed says that it is in {_public_name(others[0])}, but it is in UTF-8." if others else ""
    if valid >= _CLEARLY * invalid or (valid >= invalid and not others):
        return "utf-8", ""
    if others:
        return next((codec for codec in others if _decodes(body, codec)), others[0]), ""
    codec = next((codec for codec in _by_language(body) if _decodes(body, codec)), "cp1252")
    return codec, f"The feed is not in UTF-8 and names no other encoding; it was read as {_public_name(codec)}."


def _converted(body: bytes, encoding: str, note: str, *, declared: str = "") -> Decoded:
    notes: tuple[str, ...] = (note,) if note else ()
    if encoding == "utf-8" and _is_as_declared(body, declared):
        return Decoded(body, notes)
    text = body.decode(encoding, "replace")
    lost = text.count("\ufffd") - (body.count(b"\xef\xbf\xbd") if encoding == "utf-8" else 0)
    if lost > 0:
        notes += (f"Bytes that are not {_public_name(encoding)} were replaced: {lost}.",)
    text = text.lstrip("\ufeff \t\r\n")
    root = _ROOT_OF_TEXT.search(text[:_HEAD])
    declaration = _DECLARATION.search(text, 0, root.start()) if root else _DECLARATION.match(text)
    if declaration:
        before = text[: declaration.start()]
        if _BESIDE.fullmatch(before) is None:
            notes += ("Text before the feed was ignored.",)
            before = ""
        text = before + text[declaration.end() :].lstrip("\ufeff \t\r\n")
    return Decoded(text.encode("utf-8", "replace"), notes)


def _is_as_declared(body: bytes, declared: str) -> bool:
    """Return whether a document is valid UTF-8 and begins as one that a parser reads so."""
    if body.startswith(b"<?xml"):
        plain = codec_of(declared) == "utf-8" if declared else True
    else:
        root = _ROOT.search(body[:_HEAD])
        plain = body[:1] == b"<" and b"<?xml" not in body[: root.start() if root else _HEAD]
    if not plain:
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _public_name(codec: str) -> str:
    return {"utf-8": "UTF-8", "cp949": "EUC-KR", "cp932": "Shift_JIS"}.get(codec, codec.replace("cp", "windows-"))


def _wide(body: bytes) -> str | None:
    """Return the kind of UTF-16 or UTF-32 of a document without a byte order mark, by the zeros beside its markup."""
    head = body[:64].ljust(4, b"x")
    half = len(head) // 2
    if head[0] == head[1] == head[2] == 0 and head[3]:
        return "utf-32-be"
    if head[0] and head[1] == head[2] == head[3] == 0:
        return "utf-32-le"
    low, high = head[1::2].count(0), head[0::2].count(0)
    if 2 * low > half and not high:
        return "utf-16-le"
    return "utf-16-be" if 2 * high > half and not low else None


def _header_label(content_type: str) -> str:
    found = _CHARSET.search(content_type[:500])
    return found[1] if found else ""


def _declared_label(body: bytes) -> str:
    """Return the encoding that the declaration names, wherever it stands before the feed."""
    head = body[:_HEAD]
    root = _ROOT.search(head)
    found = _ENCODING.search(head, 0, root.start() if root else len(head))
    return found[1].decode("ascii") if found else ""


def _counts(body: bytes) -> tuple[int, int]:
    """Return the number of characters beyond ASCII that are valid UTF-8, and of bytes that are not."""
    text = body.decode("utf-8", "replace")
    invalid = text.count("\ufffd") - body.count("\ufffd".encode())
    return len(text) - len(text.encode("ascii", "ignore")) - invalid, invalid


def _short_pairs(body: bytes, codec: str) -> bool:
    """Return whether East Asian text happens to be valid UTF-8, too, as few pairs of bytes may be."""
    text = body.decode()
    beyond = [letter for letter in text if letter > "\x7f"]
    return len(beyond) <= 8 and all(letter < "\u0800" for letter in beyond) and _decodes(body, codec)  # noqa: PLR2004


def _by_language(body: bytes) -> tuple[str, ...]:
    found = _LANGUAGE.search(body[:_HEAD])
    if found is None:
        return ()
    return ("big5hkscs",) if found[2] else tuple(_UNLABELED.get(found[1].decode().lower(), "").split())


def _decodes(body: bytes, codec: str) -> bool:
    try:
        body.decode(codec)
    except UnicodeDecodeError:
        return False
    return True
