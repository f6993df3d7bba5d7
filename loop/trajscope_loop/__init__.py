"""The reference campaign that is to stand here: propose, run, judge, keep or revert, with trajscope as its recorder.

Today there is one domain and no more: no proposer, no executor, no command.
It may import the public names of trajscope and nothing else of the house.
"""
