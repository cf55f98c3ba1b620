"""Check that an embedded player leaves a link to what it plays, and that other frames go."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from aggregator.text.html import clean_html
from aggregator.text.players import player_of

BASE = "https://example.org/blog/"
UUID = "0b04f13d-1e18-4f1d-814e-4979aa7c9c44"
YOUTUBE = "https://www.youtube.com/watch?v=abc_-123456"
TRACK = "https://soundcloud.com/some-band/a-song"


@pytest.mark.parametrize(
    ("frame", "page"),
    [
        ("//www.youtube.com/embed/abc_-123456?rel=0", YOUTUBE),
        ("https://www.youtube-nocookie.com/embed/abc_-123456", YOUTUBE),
        ("http://youtube.com/v/abc_-123456&hl=en&fs=1", YOUTUBE),
        ("https://www.youtube.com/watch?v=abc_-123456&t=5", YOUTUBE),
        ("https://www.youtube.com/embed/abc_-123456?list=PL12", YOUTUBE),
        ("https://www.youtube.com/embed/videoseries?list=PL12", "https://www.youtube.com/playlist?list=PL12"),
        ("https://www.youtube.com/embed/live_stream?channel=UC1", "https://www.youtube.com/channel/UC1/live"),
        ("https://player.vimeo.com/video/123?h=x", "https://vimeo.com/123"),
        ("https://www.dailymotion.com/embed/video/x1", "https://www.dailymotion.com/video/x1"),
        ("https://geo.dailymotion.com/player/xyz.html?video=x1", "https://www.dailymotion.com/video/x1"),
        ("https://embed.ted.com/talks/lang/es/a_talk", "https://www.ted.com/talks/a_talk"),
        ("https://archive.org/embed/thing", "https://archive.org/details/thing"),
        (f"https://tube.example/videos/embed/{UUID}?start=1s", f"https://tube.example/videos/watch/{UUID}"),
        (
            "//tube.example:9000/videos/embed/kkGMgK9ZtnKfYAgnEtQxbv",
            "https://tube.example:9000/videos/watch/kkGMgK9ZtnKfYAgnEtQxbv",
        ),
        (f"https://tube.example/video-playlists/embed/{UUID}", f"https://tube.example/w/p/{UUID}"),
        ("https://open.spotify.com/embed/show/4rOoJ6?utm_source=generator", "https://open.spotify.com/show/4rOoJ6"),
        ("https://open.spotify.com/embed-podcast/episode/4rOoJ6", "https://open.spotify.com/episode/4rOoJ6"),
        ("https://embed.spotify.com/?uri=spotify%3Atrack%3A4rOoJ6", "https://open.spotify.com/track/4rOoJ6"),
        (f"https://w.soundcloud.com/player/?url={quote(TRACK, safe='')}&color=red", TRACK),
        (
            "https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/1",
            "https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/1",
        ),
        ("https://odysee.com/$/embed/a-film/0123abc?r=x", "https://odysee.com/a-film:0123abc"),
        ("https://odysee.com/$/embed/@channel:1/a-film:0", "https://odysee.com/@channel:1/a-film:0"),
        ("https://player.twitch.tv/?video=12&parent=x", "https://www.twitch.tv/videos/12"),
        ("https://player.bilibili.com/player.html?bvid=BV1x&page=1", "https://www.bilibili.com/video/BV1x"),
        ("https://www.mixcloud.com/widget/iframe/?feed=%2Fa%2Fb%2F", "https://www.mixcloud.com/a/b/"),
        ("https://embed.podcasts.apple.com/us/podcast/a/id1?i=2", "https://podcasts.apple.com/us/podcast/a/id1"),
        (f"https://cdn.embedly.com/widgets/media.html?src=x&url={quote(YOUTUBE, safe='')}&type=text", YOUTUBE),
        (f"https://cdn.embedly.com/widgets/media.html?src={quote(YOUTUBE, safe='')}", YOUTUBE),
        (
            f"//cdn.iframe.ly/api/iframe?url={quote('https://player.vimeo.com/video/123', safe='')}",
            "https://vimeo.com/123",
        ),
        (
            "https://www.facebook.com/plugins/video.php?href=https%3A%2F%2Ffacebook.com%2Fv%2F1",
            "https://facebook.com/v/1",
        ),
        ("https://docs.google.com/viewer?url=https%3A%2F%2Fe.example%2Fr.pdf&embedded=true", "https://e.example/r.pdf"),
        ("https://site.example/a-post/embed/#?secret=abc", "https://site.example/a-post/"),
        ("https://player.example/e/1?a=b#c", "https://player.example/e/1?a=b#c"),
        ("http://player.example/e/1", "http://player.example/e/1"),
        ("/map.html", "/map.html"),
    ],
)
def test_a_player_leads_to_the_page_of_what_it_plays(frame: str, page: str) -> None:
    player = player_of(frame)
    assert player is not None
    assert player.page == page


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "about:blank",
        "javascript:alert(1)//www.youtube.com/embed/abc",
        "data:text/html,x",
        "https://[::1/",
        'https://www.youtube.com/embed/" onload=alert(1)',
        "https://www.googletagmanager.com/ns.html?id=GTM-1",
        "https://ad.doubleclick.net/x",
        "https://www.facebook.com/plugins/like.php?href=x",
        "https://platform.twitter.com/widgets/tweet_button.html",
        "https://www.google.com/recaptcha/api2/anchor",
        "https://disqus.com/embed/comments/?base=default",
        "https://x.example/" + "a" * 5000,
    ],
)
def test_a_frame_without_content_leads_nowhere(frame: str) -> None:
    assert player_of(frame) is None


def test_hosts_that_only_look_like_a_known_one_are_shown_as_what_they_are() -> None:
    for frame in ("https://evil.example/youtube.com/embed/abc", "https://youtube.com.evil.example/embed/abc"):
        player = player_of(frame)
        assert player is not None
        assert (player.page, "evil.example" in player.label) == (frame, True)


WATCH = f'<p><a href="{YOUTUBE}" rel="nofollow noopener">Video on YouTube</a></p>'
EMBED = "https://www.youtube.com/embed/abc_-123456"


@pytest.mark.parametrize(
    "frame",
    [
        f'<iframe width="560" src="{EMBED}" allowfullscreen>Your browser does not support frames.</iframe>',
        f'<iframe src="about:blank" data-src="{EMBED}"></iframe>',
        f'<iframe data-lazy-src="{EMBED}" src="about:blank"></iframe>',
        f'<iframe data-consent="{EMBED}"></iframe>',
        f'<iframe src="{EMBED}" srcdoc="<a href=x>play</a>"></iframe>',
        f"<IFRAME SRC={EMBED}></IFRAME>",
        f"<iframe src={EMBED} />",
        f'<iframe src="{EMBED}"/></iframe>',
        f'<iframe src="{EMBED}">',
        '<amp-youtube data-videoid="abc_-123456" layout="responsive"></amp-youtube>',
        "<lite-youtube videoid=abc_-123456></lite-youtube>",
        f'<amp-iframe src="{EMBED}"><amp-img placeholder src="p.jpg"></amp-img></amp-iframe>',
        f'<embed src="{EMBED}" type="application/x-shockwave-flash">',
        f'<object data="{EMBED}"></object>',
        f'<object width="1"><param name="movie" value="{EMBED}"><embed src="{EMBED}"></object>',
        f'<iframe src="{EMBED}"></iframe><noscript><iframe src="{EMBED}"></iframe></noscript>',
    ],
)
def test_a_player_is_replaced_by_one_link_however_it_is_written(frame: str) -> None:
    assert clean_html(f"<p>a</p>{frame}<p>b</p>", BASE) == f"<p>a</p>{WATCH}<p>b</p>"


@pytest.mark.parametrize(
    "frame",
    [
        '<iframe src="https://player.example/1" width="0" height="0"></iframe>',
        '<iframe src="https://player.example/1" style="display:none;visibility:hidden"></iframe>',
        '<iframe src="https://www.googletagmanager.com/ns.html?id=1"></iframe>',
        "<iframe>x</iframe>",
    ],
)
def test_a_hidden_frame_leaves_nothing(frame: str) -> None:
    assert clean_html(f"<p>a</p>{frame}<p>b</p>", BASE) == "<p>a</p><p>b</p>"


def test_the_link_inside_an_unknown_frame_is_better_than_the_frame() -> None:
    frame = '<iframe src="https://player.example/1">No frames? <a href="/film">The film</a></iframe>'
    link = '<a href="https://example.org/film" rel="nofollow noopener">The film</a>'
    assert clean_html(f"<p>a</p>{frame}<p>b</p>", BASE) == f"<p>a</p><p>{link}</p><p>b</p>"


def test_a_film_that_the_text_links_to_already_is_not_linked_twice() -> None:
    html = f'<p><a href="{YOUTUBE}">The film</a></p><iframe src="{EMBED}"></iframe>'
    assert clean_html(html, BASE).count("<a ") == 1
