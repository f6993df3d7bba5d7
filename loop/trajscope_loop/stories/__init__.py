"""Failures of loops in the field, replayed: without rails, and then with them."""
