"""Import and export of sources as OPML and TOML."""
