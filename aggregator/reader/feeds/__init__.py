"""The stream in the formats of feed readers: RSS 2.0, Atom, JSON Feed 1.1 and ActivityStreams 2.0. Pure."""
