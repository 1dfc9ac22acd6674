"""Diffusion: how noise becomes an architecture."""
