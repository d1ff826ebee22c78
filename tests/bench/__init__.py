"""`bin/bench`: the service side by side with the libraries that it is built on, in one run."""
