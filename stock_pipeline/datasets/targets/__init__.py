"""The kinds of targets, one file each. Every target is centred so that 0 is the prediction without any knowledge of the stock."""
