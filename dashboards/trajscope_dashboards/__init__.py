"""The live web page that is to stand here: it will arrange trajscope's charts and follow a run in a browser.

Today there is only this package and its place: no server, no page, no command.
It may import the public names and the charts of trajscope and nothing else of the house.
"""
