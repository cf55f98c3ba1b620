"""Share app setup, problem details, pages and the item card between the reader and the review desk."""
