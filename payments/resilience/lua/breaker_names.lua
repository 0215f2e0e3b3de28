-- Answer with the names of all breakers that Redis knows.
-- KEYS  1 the set of all names

return redis.call('SMEMBERS', KEYS[1])
