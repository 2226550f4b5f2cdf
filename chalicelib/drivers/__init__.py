"""Ways to call a function: in this process now, over HTTP or another Lambda later."""
