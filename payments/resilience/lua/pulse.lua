-- opens with now
-- File one sign of life, stamped with this server's time.
--
-- KEYS[1]  a hash: one field a process, "<µs since 1970> <sign>"
-- ARGV[1]  the process
-- ARGV[2]  its sign
-- ARGV[3]  now in µs; tests only, otherwise the server's clock is asked
-- Returns  1

redis.call("HSET", KEYS[1], ARGV[1], string.format("%.0f %s", now_us(ARGV[3]), ARGV[2]))
return 1
