"""The linear maps of a network, in one canonical form."""
