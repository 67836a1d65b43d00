-- Prelude of every script, put before it by the loader together with
-- `local EPOCH = '<n>'`. Because the epoch is part of the text, it is part of
-- the SHA: a Redis that restarted or was promoted answers NOSCRIPT.

-- The fence: is this still the memory that was rebuilt for our epoch?
-- Returns nil, or the error to return. `wanted` is 'open' unless said.
local function fence(meta, wanted)
  local known = redis.call('HMGET', meta, 'epoch', 'state', 'replid')
  if known[1] ~= EPOCH then
    return redis.error_reply('STALE this memory is of another epoch')
  end
  if known[3] and known[3] ~= '' then
    local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
    if replid ~= known[3] then
      return redis.error_reply('STALE this master is not the one that was rebuilt')
    end
  end
  if known[2] ~= (wanted or 'open') then
    return redis.error_reply('REBUILDING this event is being restored')
  end
  return nil
end

-- Milliseconds since 1970. Called once a script, at its top.
local function now_ms(_)
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
