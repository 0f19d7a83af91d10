"""Why a collapsed network computes the same: bounds for every input, and runs of both networks."""
