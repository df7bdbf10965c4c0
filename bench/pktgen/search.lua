-- SPDX-License-Identifier: BSD-3-Clause
-- The highest rates with no loss (NDR) and with little (PDR), by halving (RFC 2544 section 26.1).
--
--   PDR_LOSS  loss that the partial drop rate allows, percent (0.5)
--   MAX       rate to begin with, share of the link's in percent (100)
--   STEP      how close to the limit to come, the same (1)
--   TRIES     trials at a rate before it has lost: more than RFC 2544 allows, for a machine that others use, too (1)

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local trial = dofile(here .. "trial.lua")

local pdr_loss = tonumber(os.getenv("PDR_LOSS") or "0.5")
local max = tonumber(os.getenv("MAX") or "100")
local step = tonumber(os.getenv("STEP") or "1")
local tries = tonumber(os.getenv("TRIES") or "1")

-- The best of the trials at each rate.
local function best_of(trials)
    local best = {}
    for _, result in ipairs(trials) do
        local before = best[result.rate_percent]
        if not before or result.loss_percent < before.loss_percent then
            best[result.rate_percent] = result
        end
    end
    return best
end

-- What is known from all trials up to now: the lowest rate that lost too much, and the best result below it.
local function bounds(trials, loss_percent)
    local best = best_of(trials)
    local low, high = nil, nil
    for rate, result in pairs(best) do
        if result.loss_percent > loss_percent and (not high or rate < high) then
            high = rate
        end
    end
    for rate, result in pairs(best) do
        if (not high or rate < high) and (not low or rate > low.rate_percent) then
            low = result
        end
    end
    return low, high
end

local function try(trials, rate_percent, loss_percent)
    for _ = 1, tries do
        local result = trial.run(rate_percent)
        trials[#trials + 1] = result
        if result.loss_percent <= loss_percent then
            return
        end
    end
end

local function search(trials, loss_percent)
    local low, high = bounds(trials, loss_percent)
    while high and high - (low and low.rate_percent or 0) > step do
        try(trials, (high + (low and low.rate_percent or 0)) / 2, loss_percent)
        low, high = bounds(trials, loss_percent)
    end
    return low
end

local trials = {}
trial.begin()
try(trials, max, 0)
local ndr = search(trials, 0)
local pdr = search(trials, pdr_loss)
trial.finish(trials, {{"ndr", ndr}, {"pdr", pdr}})
