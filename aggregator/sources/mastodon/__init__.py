"""Mastodon and servers that speak its API (GoToSocial, Pixelfed, Friendica, Akkoma): accounts and hashtags.

Shapes are those of the documentation of Mastodon's API (docs.joinmastodon.org, entities Status, Account, Quote).
"""
