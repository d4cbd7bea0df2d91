"""What is done with the tunnels of one size, one stage after the other. Each fills in figures by their keys."""
