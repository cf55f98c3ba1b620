"""The HTTP client for documents, hardened against hostile servers."""
