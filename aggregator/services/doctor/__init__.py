"""Find misconfigurations, and how to correct them. Nothing is changed."""
