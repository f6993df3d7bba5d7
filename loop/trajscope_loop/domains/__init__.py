"""Domains: what a campaign can be about. Each is data, a model to improve, and the metrics that judge it."""
