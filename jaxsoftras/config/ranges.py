"""Checks of the values of fields."""

COUNTABLE = 2**31
"""Bound of numbers of steps and of seeds, which are int32 on the devices."""


class ConfigError(ValueError):
    """An unusable configuration; the message says why and what to do."""


def require(condition: bool, message: str) -> None:
    """Raises a ConfigError unless a condition holds."""
    if not condition:
        raise ConfigError(message)
