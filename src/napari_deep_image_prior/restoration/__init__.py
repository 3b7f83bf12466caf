"""Running a restoration: once, step by step, plane by plane, again."""
