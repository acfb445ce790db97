-- Is the table of the positions there?
EXISTS TABLE ${positions}
