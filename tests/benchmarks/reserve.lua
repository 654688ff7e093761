-- Reservations. Each run passes its own prefix, so that no run replays the keys of another; keys grow
-- with time, as our clients make them, or are random. Callers are lines of "key tenant" in a file.
local LEVELS = {"workspace", "app", "workflow", "agent", "toolset"}
local prefix, callers, keys, subject = nil, {}, nil, ""
local count = 0

function init(args)
  prefix, keys = args[1], args[3]
  for line in io.lines(args[2]) do
    local secret, tenant = line:match("(%S+) (%S+)")
    callers[#callers + 1] = {tenant = tenant, headers = {
      ["Content-Type"] = "application/json", ["X-Cycles-API-Key"] = secret}}
  end
  for level = 1, tonumber(args[4]) - 1 do
    local name = tonumber(args[4]) == 2 and "agent" or LEVELS[level]
    subject = subject .. string.format(',"%s":"bot"', name)
  end
  math.randomseed(tonumber(prefix:sub(-8), 16))
end

function request()
  count = count + 1
  local caller = callers[count % #callers + 1]
  local id = string.format("%s-%09d", prefix, count)
  if keys == "random" then
    id = string.format("%08x%08x-%s", math.random(0, 2^31), math.random(0, 2^31), id)
  end
  local body = string.format(
    '{"idempotency_key":"%s","subject":{"tenant":"%s"%s},' ..
    '"action":{"kind":"llm.completion","name":"gpt-4o"},' ..
    '"estimate":{"unit":"USD_MICROCENTS","amount":1000},"ttl_ms":60000}', id, caller.tenant, subject)
  return wrk.format("POST", "/v1/reservations", caller.headers, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"failed":%d,"timed_out":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write, errors.timeout))
end
