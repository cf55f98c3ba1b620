"""X (Twitter): the timeline of an account, through the official API v2 and tweepy.

`plugin` chooses the requests and classifies the outcomes, `api` sends them (one call at a time, off the event loop),
`transport` is the HTTP adapter below tweepy, `errors` parses X's error responses, `normalise` (with `markup` and
`media`) converts a page to activities. `compliance` checks stored posts for takedowns; `jobs` uploads and downloads the
lists of its batch jobs.
"""
