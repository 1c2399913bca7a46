"""Orders: product catalog, purchases paid from an account's balance, payments and revenue."""
