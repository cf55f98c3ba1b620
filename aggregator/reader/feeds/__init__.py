"""Render the stream in feed formats: RSS 2.0, Atom, JSON Feed 1.1 and ActivityStreams 2.0. Pure."""
