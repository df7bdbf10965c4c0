-- SPDX-License-Identifier: BSD-3-Clause
-- The highest rates with no loss (NDR) and with little (PDR), by halving (RFC 2544 section 26.1).
--
--   PDR_LOSS  loss that the partial drop rate allows, percent (0.5)
--   MAX       rate to begin with, share of the link's in percent (100)
--   STEP      how close to the limit to come, the same (1)

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local trial = dofile(here .. "trial.lua")

local pdr_loss = tonumber(os.getenv("PDR_LOSS") or "0.5")
local max = tonumber(os.getenv("MAX") or "100")
local step = tonumber(os.getenv("STEP") or "1")

-- What is known from all trials up to now: the lowest rate that lost too much, and the best result below it.
local function bounds(trials, loss_percent)
    local low, high = nil, nil
    for _, result in ipairs(trials) do
        if result.loss_percent > loss_percent and (not high or result.rate_percent < high) then
            high = result.rate_percent
        end
    end
    for _, result in ipairs(trials) do
        if (not high or result.rate_percent < high) and (not low or result.rate_percent > low.rate_percent) then
            low = result
        end
    end
    return low, high
end

local function search(trials, loss_percent)
    local low, high = bounds(trials, loss_percent)
    while high and high - (low and low.rate_percent or 0) > step do
        trials[#trials + 1] = trial.run((high + (low and low.rate_percent or 0)) / 2)
        low, high = bounds(trials, loss_percent)
    end
    return low
end

trial.begin()
local trials = {trial.run(max)}
local ndr = search(trials, 0)
local pdr = search(trials, pdr_loss)
trial.finish(trials, {{"ndr", ndr}, {"pdr", pdr}})
