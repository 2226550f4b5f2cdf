"""Your functions: every module in this folder is imported and what @function decorates is registered."""
