"""The person drawn in a new motion: who wears what, taken from pictures, and the networks and meshes that draw it."""
