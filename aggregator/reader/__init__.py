"""The public side: the API, its documentation and the page for people."""
