"""What a user types, and what he sees."""
