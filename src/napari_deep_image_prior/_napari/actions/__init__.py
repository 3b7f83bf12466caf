"""The actions of buttons and scripts."""
