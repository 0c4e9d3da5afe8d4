"""A package, so that no other package named "tests" can be imported instead."""
