"""Deploys a stage: settings, stack, chalice's configuration and policies, and the check of what AWS really has."""
