"""Accounts: sign-up, sign-in, sessions, password resets, export and deletion."""
