"""CPU of Redis per request while it is busy, from the commands of a load test.

At the request rates of one machine, Redis is idle between commands, and a command then uses several times the
CPU that it uses on a busy server. The commands of a load test are therefore recorded (:mod:`.recorder`) and
repeated at full speed against a separate server (:mod:`.replay`).
"""
