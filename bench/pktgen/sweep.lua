-- SPDX-License-Identifier: BSD-3-Clause
-- One trial at each rate: how loss grows.
--
--   RATES  shares of the link's rate, in percent (1 2 5 10 20 50 100)

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local trial = dofile(here .. "trial.lua")

local trials = {}
trial.begin()
for rate in (os.getenv("RATES") or "1 2 5 10 20 50 100"):gmatch("[%d.]+") do
    trials[#trials + 1] = trial.run(tonumber(rate))
end
trial.finish(trials, {})
