"""Daily budgets: what a tenant may use in a day is reserved before a step takes it, and settled when it is known what it took."""
