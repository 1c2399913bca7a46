"""Every hardening setting turned off in turn: a policy, audit, document or test must report it."""
