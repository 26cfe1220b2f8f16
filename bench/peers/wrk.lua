-- The line of a load program, for wrk: its -d and -c take the place of requests and connections, nothing is checked but
-- that all was well, and the CPU time is for the caller to take.
function done(summary, latency, requests)
    local errors = summary.errors
    if errors.connect + errors.read + errors.write + errors.timeout + errors.status > 0 or summary.requests == 0 then
        print("status=error")
        return
    end
    print(string.format("requests=%d seconds=%.6f cpu_us=0 p50_us=%.1f p99_us=%.1f",
        summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99)))
end
