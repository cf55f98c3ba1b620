"""Manage threads and files of the operating system; imports nothing of this project."""
