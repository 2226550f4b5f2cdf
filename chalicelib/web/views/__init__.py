"""What answers each route. `table` names the views."""
