"""How far to trust a result: quality against a truth, uncertainty, samples with their truth."""
