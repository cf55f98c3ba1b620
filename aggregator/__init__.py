"""An activity stream of tweets, retweets and news: pulled on a schedule, merged, reviewed and served."""
