"""When to poll, how fast, and the results of polls."""
