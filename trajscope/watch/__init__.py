"""The live screen: one run, or many, as they grow; plain lines and JSON lines where there is no terminal."""
