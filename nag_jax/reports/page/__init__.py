"""The page that a run leaves behind, of one run or of several side by side."""
