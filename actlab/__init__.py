"""actlab: experiments on activation functions, depth and vanishing gradients."""
