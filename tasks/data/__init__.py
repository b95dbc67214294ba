"""Labelled images: where they come from, how they are split, and the file that they become.

To add a data set: write its module here (``locate`` and ``read``), then one entry in
``sources.SOURCES`` and its name in ``DataSettings``. This import is cheap; numpy and the decoders
are loaded when a data set is looked for.
"""

from tasks.data.locate import EMBEDDED, LocatedData, locate_data, read_data

__all__ = ["EMBEDDED", "LocatedData", "locate_data", "read_data"]
