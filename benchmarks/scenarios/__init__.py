"""What is measured; each scenario is a small class with its sizes as fields."""
