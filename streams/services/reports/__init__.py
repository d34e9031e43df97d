"""Reports: what is told of products, assets, costs and quality, typed."""
