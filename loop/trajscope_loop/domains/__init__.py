"""Domains: what a campaign can be about, each a folder with its data, a model to improve, and the judge of it."""
