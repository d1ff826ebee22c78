"""`bin/bench`: the service side by side with what it stands on, in one run."""
