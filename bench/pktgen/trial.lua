-- SPDX-License-Identifier: BSD-3-Clause
-- One trial (RFC 2544 section 24), and how results are shown and kept: what the scripts beside this one share.
--
-- Settings come from the environment:
--   PORT           Pktgen's port, which sends and receives (0)
--   TRIAL_SECONDS  how long a trial sends (10)
--   RESULTS        results go to this name with .json and .csv behind it (pktgen)

local trial = {}

local port = os.getenv("PORT") or "0"
local seconds = tonumber(os.getenv("TRIAL_SECONDS") or "10")
local results = os.getenv("RESULTS") or "pktgen"

-- What is on its way, and Pktgen's counters, which it takes once a second.
local DRAIN_MS = 2500

-- Monotonic seconds, exact to a hundredth.
local function now()
    local file = assert(io.open("/proc/uptime"))
    local time = file:read("n")
    file:close()
    return time
end

local columns = {
    {"rate_percent", "rate %", "%.2f"},
    {"seconds", "s", "%.2f"},
    {"sent", "sent", "%d"},
    {"received", "received", "%d"},
    {"sent_per_second", "sent/s", "%.0f"},
    {"received_per_second", "received/s", "%.0f"},
    {"lost", "lost", "%d"},
    {"loss_percent", "loss %", "%.4f"},
}

local function show(result)
    local line = {}
    for i, column in ipairs(columns) do
        line[i] = string.format("%12s", result and string.format(column[3], result[column[1]]) or column[2])
    end
    print(table.concat(line))
end

-- Once, before the first trial.
function trial.begin()
    pktgen.screen("off")
    pktgen.set(port, "count", 0)
    print("")
    show(nil)
end

-- Sends at this share of the link's rate; the result, which has the columns above.
function trial.run(rate_percent)
    local result = {rate_percent = rate_percent}
    pktgen.set(port, "rate", rate_percent)
    pktgen.clr()
    local start = now()
    pktgen.start(port)
    pktgen.delay(math.floor(1000 * seconds))
    pktgen.stop(port)
    result.seconds = now() - start
    pktgen.delay(DRAIN_MS)
    local counters = pktgen.portStats(port, "port")[tonumber(port)]
    result.sent = counters.opackets
    result.received = counters.ipackets
    -- A stray frame of the relay's kernel is no gain.
    result.lost = math.max(0, result.sent - result.received)
    result.sent_per_second = result.sent / result.seconds
    result.received_per_second = result.received / result.seconds
    result.loss_percent = result.sent > 0 and 100 * result.lost / result.sent or 100
    show(result)
    return result
end

local function json_of(result)
    local members = {}
    for i, column in ipairs(columns) do
        members[i] = string.format('"%s": ' .. column[3], column[1], result[column[1]])
    end
    return "{" .. table.concat(members, ", ") .. "}"
end

local function write_csv(trials)
    local file = assert(io.open(results .. ".csv", "w"))
    local names = {}
    for i, column in ipairs(columns) do
        names[i] = column[1]
    end
    file:write(table.concat(names, ","), "\n")
    for _, result in ipairs(trials) do
        local values = {}
        for i, column in ipairs(columns) do
            values[i] = string.format(column[3], result[column[1]])
        end
        file:write(table.concat(values, ","), "\n")
    end
    assert(file:close())
end

-- found: what a search came to, a list of {name, result or nil}.
local function write_json(trials, found)
    local file = assert(io.open(results .. ".json", "w"))
    local lines = {}
    for _, pair in ipairs(found) do
        lines[#lines + 1] = string.format('  "%s": %s', pair[1], pair[2] and json_of(pair[2]) or "null")
    end
    local all = {}
    for i, result in ipairs(trials) do
        all[i] = "    " .. json_of(result)
    end
    lines[#lines + 1] = '  "trials": [\n' .. table.concat(all, ",\n") .. "\n  ]"
    file:write("{\n", table.concat(lines, ",\n"), "\n}\n")
    assert(file:close())
end

-- Writes the results and ends Pktgen.
function trial.finish(trials, found)
    for _, pair in ipairs(found) do
        print("")
        print(pair[1] .. (pair[2] and ":" or ": not even the lowest rate"))
        if pair[2] then
            show(pair[2])
        end
    end
    write_csv(trials)
    write_json(trials, found)
    print("")
    print("written: " .. results .. ".json, " .. results .. ".csv")
    pktgen.quit()
end

return trial
