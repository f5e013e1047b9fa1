"""Networks, and fitting them."""
