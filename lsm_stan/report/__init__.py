"""From findings to a page: its text, its tables and its figures."""
