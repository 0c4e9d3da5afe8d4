"""Several algorithms on one problem."""
