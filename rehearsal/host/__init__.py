"""The host of one machine: desired objects emulated by processes. `client.Machine` is the entry point."""
