"""News feeds: RSS 0.9x, 1.0 and 2.0, Atom, CDF and JSON Feed.

`kind` fetches and decides, `normalise` turns bytes into activities, `syndication` (XML, by feedparser) and `jsonfeed`
read what a document says into the types of `document`.
"""
