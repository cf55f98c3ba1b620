"""Give API objects the fields of what happened to posts and accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.demo.x_shapes import EDITABLE, MOST_EDITS, Shapes, moment

if TYPE_CHECKING:
    from aggregator.demo.world import Account, Post
    from aggregator.demo.x_shapes import ApiCall
    from tests.x_api.world import SimulatedWorld


class SimulatedShapes(Shapes):
    """Builds the API objects of the response to a call."""

    def __init__(self, world: SimulatedWorld, call: ApiCall) -> None:
        super().__init__(world, call)
        self._simulated = world
        self._withheld = "withheld" in call.values("tweet.fields")

    def user(self, account: Account) -> dict[str, Any]:
        """Return an account as a user object."""
        user = super().user(account)
        if "protected" in user:
            user["protected"] = self._simulated.restricted.get(account.id) == "protected"
        return user

    def tweet(self, post: Post) -> dict[str, Any]:
        """Return a post as a tweet object."""
        tweet, versions = super().tweet(post), self._simulated.versions(post)
        tweet["edit_history_tweet_ids"] = [str(id_) for id_ in versions]
        if "edit_controls" in tweet:
            first = self._simulated.post(versions[0]) or post
            tweet["edit_controls"] |= {
                "edits_remaining": max(MOST_EDITS + 1 - len(versions), 0),
                "editable_until": moment(first.created + EDITABLE),
            }
        if self._withheld and (countries := self._simulated.withheld.get(post.id)):
            tweet["withheld"] = {"copyright": "XY" in countries, "country_codes": list(countries)}
        return tweet
