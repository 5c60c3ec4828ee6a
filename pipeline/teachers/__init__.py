"""Teachers write candidate rows. Each yields `Row`s from a seed alone; the filters judge them."""
