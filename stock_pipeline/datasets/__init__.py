"""What models learn from: features joined to labels, ranked within each session, and split by session into training and test.

What does not belong here: computing features or labels (their own rooms), fitting anything (models/).
"""
