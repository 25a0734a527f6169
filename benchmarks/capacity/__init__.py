"""Does the roofline come to what others published? Fit its factors to their figures, each pair of model and GPU held out in turn."""
