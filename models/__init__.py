"""What a model is (specs, pure) and how its weights get here and are verified."""
