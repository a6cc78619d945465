"""The base models, one file each, behind the interface in ``estimator.py``; ``catalogue.py`` of this stage lists them."""
