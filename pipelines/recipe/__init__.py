"""Smith's recipe: the tests that come before a search, as commands."""
