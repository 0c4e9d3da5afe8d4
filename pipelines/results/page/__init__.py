"""A page: sections of words and figures, as data (:mod:`.model`) and as one HTML file
(:mod:`.render`)."""
