"""The reference campaign: propose, run, judge, keep or revert, with trajscope as its recorder.

Begins at `campaign`, which takes one step at a time and has each on disk before the next. Of trajscope it may import
the public names and the rails, keep, integrity, charts and testing packages, and nothing else of the house.
"""
