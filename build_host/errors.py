"""What can be at fault on the build host alone; the base is the project's."""

from device.errors import DermascopeError


class DataError(DermascopeError, ValueError):
    """A data set is incomplete or contradicts itself."""
