"""Files to nodes: readers, splitting, pictures, and the pipeline that writes them to the store."""
