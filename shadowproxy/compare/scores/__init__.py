"""Measures of likeness with their published definitions: plain functions of plain values."""
