"""Real peers on loopback: what the service depends on, with every fault; and the service itself."""
