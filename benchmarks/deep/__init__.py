"""How the deep scan learns what speaks for personal data: labelled documents, plain questions, and the forest made of both."""
