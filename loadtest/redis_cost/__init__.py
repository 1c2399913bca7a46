"""CPU of Redis per request while it is busy, from the commands of a load test.

At the request rates of one machine Redis is idle between commands, and each costs several times what it costs
on a busy server. The commands of a load test are therefore recorded (:mod:`.recorder`) and repeated at full
speed against a server of their own (:mod:`.replay`).
"""
