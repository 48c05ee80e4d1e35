"""Retrieval evaluation: datasets as folders, standard measures, repeatable runs."""
