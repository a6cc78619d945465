"""What models learn: a file for each kind of target, made so that 0 is what one would say who knows nothing of the stock."""
