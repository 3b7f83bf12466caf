"""Running restorations: single images, stacks, step by step, and repeated."""
