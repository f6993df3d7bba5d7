"""The reference campaign that is to stand here: propose, run, judge, keep or revert, with trajscope as its recorder.

Today there is only this package and its place: no proposer, no executor, no domain, no command.
It may import the public names of trajscope and nothing else of the house.
"""
