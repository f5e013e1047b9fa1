"""One file for one device: the program's settings and the machine's, from an integrator's desk."""
