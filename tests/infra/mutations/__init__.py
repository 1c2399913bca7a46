"""For each setting of the program that hardens: turned off, something that checks the program says so."""
