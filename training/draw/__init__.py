"""Drawn pictures with captions: the whole training material of the bundled image tower.

Every kind is a function `draw(rng) -> (picture, caption)`, repeatable from the state of `rng`.
"""
