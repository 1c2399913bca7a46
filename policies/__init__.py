"""The policy pack: rules for every environment, one module per concern."""
