"""What there is to collapse: stretches, the maximal pieces of a network with no bend in them, and their sizes."""
