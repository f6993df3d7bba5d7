"""Benchmarks: the product's budgets, measured beside what a user would pick instead. Nothing here is a test."""
