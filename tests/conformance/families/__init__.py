"""One module per operator family; each has cases(), a generator of case.Case."""
