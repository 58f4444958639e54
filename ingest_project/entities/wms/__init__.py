"""wms: the rows of a warehouse management system, mirrored over its paged API."""
