"""What the public reader and the review desk share: the app's frame, problem details, pages and the item card."""
