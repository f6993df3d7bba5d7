"""The Textual half of the screen. Nothing here is imported before somebody wants to see it."""
