"""X (Twitter): the timeline of an account, through the official API v2 and tweepy.

`kind` decides what to ask for and what an outcome means, `api` asks (one call at a time, off the event loop),
`transport` is the wire below tweepy, `problems` reads X's failures, `normalise` (with `markup` and `media`) turns a
page into activities. `compliance` asks what became of posts that were read before, `jobs` sends and fetches the lists
for that.
"""
