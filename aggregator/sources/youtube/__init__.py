"""Read channels and playlists of YouTube by their feeds and, with an API key, by the YouTube Data API.

Shapes follow the feeds at youtube.com/feeds/videos.xml (Atom with the namespaces `yt` and `media`), and the resources
video, playlistItem and channel of the API's reference at developers.google.com/youtube/v3/docs.
"""
