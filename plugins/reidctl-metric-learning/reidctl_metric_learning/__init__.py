"""pytorch-metric-learning's losses and miners for reidctl. https://github.com/KevinMusgrave/pytorch-metric-learning"""
