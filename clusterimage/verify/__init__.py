"""Checks of a built image: every byte, and the contract of the program that reads it."""
