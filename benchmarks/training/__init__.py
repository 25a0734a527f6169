"""How are the classifier's heads trained? Corpus, teacher, fit: the parts of `python -m benchmarks.train`."""
