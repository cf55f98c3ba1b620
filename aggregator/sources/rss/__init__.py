"""News feeds: RSS 0.9x, 1.0 and 2.0, Atom, CDF and JSON Feed.

`plugin` fetches documents and evaluates responses, `parse` and `normalise` convert bytes to activities. `xml_tree`,
`feedparser_reader` and `jsonfeed` read documents into the types of `document`.
"""
