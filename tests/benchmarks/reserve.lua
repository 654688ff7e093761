-- Reservations with keys that grow with time, as our clients make them. Each run passes its own
-- prefix, so that no run replays the keys of another.
local prefix, key = ...
local count = 0

function init(args)
  prefix, key = args[1], args[2]
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["X-Cycles-API-Key"] = key
end

function request()
  count = count + 1
  local body = string.format(
    '{"idempotency_key":"%s-%09d","subject":{"tenant":"bench","agent":"bot"},' ..
    '"action":{"kind":"llm.completion","name":"gpt-4o"},' ..
    '"estimate":{"unit":"USD_MICROCENTS","amount":1000},"ttl_ms":60000}', prefix, count)
  return wrk.format(nil, "/v1/reservations", nil, body)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"failed":%d,"timed_out":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write, errors.timeout))
end
