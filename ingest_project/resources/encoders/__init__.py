"""Models behind ``core.encoding.Encoder``, and the cache in front of them. Their uses live elsewhere."""
