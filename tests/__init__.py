"""A package, so that another that is called "tests" cannot stand in its place."""
