"""Training: estimators behind one small interface, honest out-of-fold scores, the stack, and artefacts on disk.

What does not belong here: versions and promotion (registry/), tonight's predictions (predictions/).
"""
