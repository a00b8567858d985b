"""Sources of changes, one folder or file a source: something changed -> Change."""
