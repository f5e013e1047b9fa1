"""The body map: a drawing of the body as lines and areas, for the screen and for paper."""
