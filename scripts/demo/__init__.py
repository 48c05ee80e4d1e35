"""How the demo corpus is made: its words (`content/`), its pictures, and the writers of each format."""
