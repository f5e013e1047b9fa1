"""From the program and Debian's packages to an image that a card is flashed with."""
