"""What does it cost, and how good is it? Measured beside a peer or a bound in the same run, never in a timed test."""
