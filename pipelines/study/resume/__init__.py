"""How a recorded search goes on."""
