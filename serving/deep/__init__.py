"""The deep scan: what is about to leave is read once more, slowly, by a language model for names, in a process of its own."""
