"""Bodies of ARM requests, made from trees."""
