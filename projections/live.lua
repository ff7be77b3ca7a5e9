-- Count a batch of order events in one generation of the live figures; infra/live_keys.py says where they are.
-- KEYS[1]: prefix. ARGV[1]: generation, or '' for the one that is read. ARGV[2]: log position up to which every event is
-- counted with this batch, or 0. ARGV[3]: run id of the server that the caller means, or '' for the one that was vouched
-- for. ARGV[4]: 'vouch' to say that with this batch nothing is missing. Then eight arguments per event: order id, tenant,
-- version, status or '', milliseconds it occurred at, summary or '', currency, revenue.
-- Per order, a version already counted is skipped, and one that does not follow the last is left out: an event before
-- it could not be read.
-- Gives {events left out}, or {-1} when there is no such generation, or {-2, generation, position, run id} when the
-- server has been started again: it may have come back with older data.
local generation = ARGV[1]
if generation == '' then
  generation = redis.call('GET', KEYS[1] .. ':generation') or ''
end
local root = KEYS[1] .. ':' .. generation
local position = redis.call('GET', root .. ':position')
if not position then
  return { -1 }
end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local meant = ARGV[3]
if meant == '' then
  meant = redis.call('GET', root .. ':run')
end
if meant ~= run then
  return { -2, generation, position, run }
end

local RECENT, ORDER_KEPT, MINUTE_KEPT, DAY = 50, 86400, 7200, 86400
local ENDED = { completed = true, cancelled = true }
local left_out = 0

for i = 5, #ARGV, 8 do
  local order_id, status, occurred = ARGV[i], ARGV[i + 3], tonumber(ARGV[i + 4])
  local summary, currency, revenue = ARGV[i + 5], ARGV[i + 6], ARGV[i + 7]
  local version = tonumber(ARGV[i + 2])
  local tenant = root .. ':' .. ARGV[i + 1]
  local order = root .. ':order:' .. order_id
  local known = redis.call('HMGET', order, 'version', 'status')
  local last = tonumber(known[1] or '0')

  if version > last + 1 then
    left_out = left_out + 1
  elseif version == last + 1 then
    redis.call('HSET', order, 'version', version)
    if summary ~= '' then
      local minute = math.floor(occurred / 60000)
      local placed = tenant .. ':minute:' .. string.format('%d', minute)
      redis.call('INCR', placed)
      redis.call('EXPIREAT', placed, minute * 60 + MINUTE_KEPT)
      redis.call('ZADD', tenant .. ':recent', ARGV[i + 4], order_id)
      redis.call('HSET', tenant .. ':recent_summaries', order_id, summary)
      redis.call('HSET', tenant .. ':recent_statuses', order_id, status)
      while redis.call('ZCARD', tenant .. ':recent') > RECENT do
        local oldest = redis.call('ZPOPMIN', tenant .. ':recent')[1]
        redis.call('HDEL', tenant .. ':recent_summaries', oldest)
        redis.call('HDEL', tenant .. ':recent_statuses', oldest)
      end
    end
    if status ~= '' then
      redis.call('HINCRBY', tenant .. ':statuses', status, 1)
      if known[2] then
        redis.call('HINCRBY', tenant .. ':statuses', known[2], -1)
      end
      redis.call('HSET', order, 'status', status)
      if redis.call('HEXISTS', tenant .. ':recent_statuses', order_id) == 1 then
        redis.call('HSET', tenant .. ':recent_statuses', order_id, status)
      end
    end
    if revenue ~= '0' then
      local day = math.floor(occurred / 1000 / DAY)
      local booked = tenant .. ':revenue:' .. string.format('%d', day)
      redis.call('HINCRBY', booked, currency, revenue)
      redis.call('EXPIREAT', booked, (day + 2) * DAY)
    end
    if ENDED[status] then
      redis.call('EXPIRE', order, ORDER_KEPT)
    end
  end
end

if tonumber(ARGV[2]) > tonumber(position) then
  redis.call('SET', root .. ':position', ARGV[2])
end
if ARGV[4] == 'vouch' then
  redis.call('SET', root .. ':run', run)
end
return { left_out }
