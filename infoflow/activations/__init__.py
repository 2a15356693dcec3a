"""What the activations say: a network run on data, site by site, as rows of a report."""
