"""The policy pack: what every environment must hold to, one file per concern."""
