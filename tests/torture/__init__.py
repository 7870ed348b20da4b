"""Everything breaks at random while people write; what was acknowledged must be there at the end."""
