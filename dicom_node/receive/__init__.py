"""Takes studies from the network; success means that the node keeps them."""
