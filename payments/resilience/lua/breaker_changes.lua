-- Answer with the latest changes of state, the newest first: for each its id and its fields.
-- KEYS  1 the stream of state changes
-- ARGV  1 how many at most

return redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1])
