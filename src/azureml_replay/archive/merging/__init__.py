"""Archives of one source, folded into one of them."""
