-- For tests only, put after the prelude: time is the field `test_now` of the
-- event's meta, so that a test moves it instead of waiting.
local function now_ms(meta)
  return tonumber(redis.call('HGET', meta, 'test_now'))
end
