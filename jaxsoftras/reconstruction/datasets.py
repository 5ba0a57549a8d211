"""Opens the data set that a configuration names; see `jaxsoftras.data.open_split`."""

from jaxsoftras.data import open_split as open_split
