"""The results folder of a study: rows that survive everything, and what is made from them.

``folder`` keeps the rows; ``publish`` makes tables, figures and the page from the rows alone.
"""
