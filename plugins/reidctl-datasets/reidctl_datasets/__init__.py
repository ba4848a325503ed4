"""Public data sets of people and vehicles for reidctl, each in the layout that its authors publish."""
