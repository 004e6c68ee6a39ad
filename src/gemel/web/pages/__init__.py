"""The pages. One module for each kind; `every.PAGES` is the list of all."""
