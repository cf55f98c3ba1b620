"""Bluesky and other services of the AT Protocol: accounts, feeds, lists and hashtags, from a public AppView.

Shapes are those of the lexicons `app.bsky.feed.defs`, `app.bsky.embed.*`, `app.bsky.richtext.facet`,
`app.bsky.actor.defs` and `com.atproto.label.defs`.
"""
