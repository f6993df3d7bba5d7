"""The live web page: every run of a folder with its verdict word, and one run with its charts as its rows land.

It reads through `trajscope.Lookout` and draws with `trajscope.charts`; of the house it knows nothing else.
It only reads.
"""
