"""What a User-Agent header reveals about a prober: its first product, and which kind of prober that is. Pure."""

import re

MOST_CHARACTERS = 64  # of a product
# How the User-Agent of each kind begins.
BEGINNINGS = {
    "kube-probe/": "kubelet",
    "ELB-HealthChecker/": "elb",
    "GoogleHC/": "google",
    "Load Balancer Agent": "azure",
    "Edge Health Probe": "azure",
    "Envoy/HC": "envoy",
    "nginx/": "nginx",
    "Consul Health Check": "consul",
    "Prometheus/": "prometheus",
    "curl": "curl",
    "Wget": "wget",
    "Mozilla/": "browser",
}
KUBELET, UNNAMED, OTHER = "kubelet", "unnamed", "other"
KINDS = (*dict.fromkeys(BEGINNINGS.values()), UNNAMED, OTHER)
# HAProxy sends no User-Agent.
BALANCERS = frozenset({"elb", "google", "azure", "envoy", "nginx", UNNAMED})
# These read nothing of an answer but its status code.
CODE_READERS = BALANCERS | {KUBELET}
# The first product: it ends at white space, but for that in the beginning of a known kind.
PRODUCT = re.compile(f"(?:{'|'.join(map(re.escape, BEGINNINGS))})?[^ \t]*")
# No control, invisible or bidirectional character is in ASCII's printable part.
UNPRINTABLE = re.compile("[^ -~]")


def product_of(user_agent: str) -> str | None:
    """The first product of a User-Agent header, 64 printable ASCII characters at most; None if there is none."""
    product = PRODUCT.match(user_agent, 0, MOST_CHARACTERS)[0]  # type: ignore[index]  # it matches the empty string
    return UNPRINTABLE.sub("?", product) or None


def kind_of(product: str | None) -> str:
    """The kind of a product, a word of KINDS."""
    if product is None:
        return UNNAMED
    return next((kind for beginning, kind in BEGINNINGS.items() if product.startswith(beginning)), OTHER)
