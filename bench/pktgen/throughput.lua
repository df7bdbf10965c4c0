-- SPDX-License-Identifier: BSD-3-Clause
-- As much as goes in: what comes out at the link's full rate, several times.
--
--   REPEAT  trials (3)

local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local trial = dofile(here .. "trial.lua")

local trials = {}
trial.begin()
for i = 1, tonumber(os.getenv("REPEAT") or "3") do
    trials[i] = trial.run(100)
end
trial.finish(trials, {})
