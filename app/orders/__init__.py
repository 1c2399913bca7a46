"""Orders: product catalogue, purchases paid from an account's balance, payments and revenue."""
