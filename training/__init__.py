"""The recipe of the bundled encoder. Not part of the installed package."""
