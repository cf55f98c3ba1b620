"""Hide the `rich` of a test dependency from the product's processes, which then start as fast as in production."""

raise ImportError("rich is not installed in production")
