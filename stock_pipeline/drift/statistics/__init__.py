"""Statistics that compare two samples, one to a file: a pure function and its descriptor."""
