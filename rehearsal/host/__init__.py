"""The host of one machine: desired objects realised as processes. `client.Machine` is the way in."""
