"""Where a layer lies among the layers of healthy trained networks: the table, and the placing.

Distance from random is not quality. This room holds what healthy networks look like, in figures
that compare across layers of different size (`quantities`), in kinds of layers that are told
apart (`strata`), network by network so that tables merge exactly (`table`).
"""
