"""The losses in trainers of other packages; each is imported only by who uses it."""
