"""The interface for kinds of source: everything that they import."""
