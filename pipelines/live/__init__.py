"""Pages in a browser for searches while they run: the list of runs, and a page for each run."""
