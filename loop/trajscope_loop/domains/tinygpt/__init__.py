"""The tinygpt domain: a small transformer learns the bytes of Python's standard library, in seconds on one core.

The folder is the domain, as a campaign runs it in children. Only `train` needs torch.
"""
