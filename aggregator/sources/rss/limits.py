"""Define the limits for feeds: entries, text and complexity.

`aggregator/fetching/limits.py` has the limits for bytes.
"""

MOST_ENTRIES = 500  # of a document; further entries are not read
LONGEST_TEXT = 200_000  # characters of an entry's body

# Documents beyond these are refused.
DEEPEST = 200  # nesting depth of elements
MOST_ATTRIBUTES = 100  # attributes of an element
MOST_OF_ENTRY = 3_000  # elements within an entry
MOST_ELEMENTS = 200_000
LONGEST_BROKEN = 1024 * 1024  # bytes of a document with broken XML that feedparser may recover
MOST_BROKEN_TAGS = 30_000
