"""A client as it is written for mod_callcenter: a Lua script that an agent dials to come and go, and one that makes a wallboard of the tables."""
import re

import pytest
import tandem as t
from callcenter import MUSIC, agents, becomes_quiet, caller, configure, queue
from calls import accept, extension, write_extensions

SHARED = """
api = freeswitch.API()
-- the rows of a report, each by the names in its first line
function rows(command)
  local out, names = {}, nil
  for line in api:executeString(command):gmatch("[^\\n]+") do
    if line == "+OK" or line:sub(1, 4) == "-ERR" then break end
    local cells = {}
    for cell in (line .. "|"):gmatch("([^|]*)|") do cells[#cells + 1] = cell end
    if not names then
      names = cells
    else
      local row = {}
      for i, name in ipairs(names) do row[name] = cells[i] end
      out[#out + 1] = row
    end
  end
  return out
end
"""
# *22: comes to work, goes home when he is there
TOGGLE = SHARED + """
local who = session:getVariable("caller_id_number") .. "@t"
local status = "Available"
for _, agent in ipairs(rows("callcenter_config agent list")) do
  if agent.name == who and agent.status ~= "Logged Out" then status = "Logged Out" end
end
session:answer()
local reply = api:execute("callcenter_config", "agent set status " .. who .. " '" .. status .. "'")
session:setVariable("agent_said", (reply:gsub("%s+$", "")))
freeswitch.consoleLog("info", who .. " is " .. status .. "\\n")
session:execute("park")
"""
BOARD = SHARED + """
local name, now = argv[1], tonumber(argv[2])
local free, waits, longest = {}, 0, 0
for _, tier in ipairs(rows("callcenter_config queue list tiers " .. name)) do
  local status = (api:executeString("callcenter_config agent get status " .. tier.agent):gsub("%s+$", ""))
  local state = (api:executeString("callcenter_config agent get state " .. tier.agent):gsub("%s+$", ""))
  free[#free + 1] = tier.agent .. "=" .. status .. "/" .. state .. "/" .. tier.state
end
local talking = {}
for _, m in ipairs(rows("callcenter_config queue list members " .. name)) do
  if m.state == "Waiting" or m.state == "Trying" then
    waits = waits + 1
    longest = math.max(longest, now - tonumber(m.joined_epoch))
  elseif m.state == "Answered" then
    talking[#talking + 1] = m.cid_number .. ">" .. m.serving_agent
  end
end
local there = tonumber((api:executeString("callcenter_config queue count agents " .. name .. " Available")))
stream:write(table.concat(free, ",") .. " waiting " .. waits .. " talking " .. table.concat(talking, ",") .. " available " .. there .. " well " .. tostring(longest >= 0 and longest < 600))
"""


@pytest.fixture(scope="module")
def sw(tmp_path_factory):
    s = t.Tandem(tmp_path_factory.mktemp("lua") / "instance")
    configure(s, [queue("desk@t", moh_sound=MUSIC, discard_abandoned_after=0)],
              agents="".join(f'<agent name="{n}@t" type="callback" contact="user/{n}@127.0.0.1" status="Logged Out"/>' for n in ("1001", "1002")),
              tiers='<tier agent="1001@t" queue="desk@t" level="1" position="1"/><tier agent="1002@t" queue="desk@t" level="1" position="2"/>')
    write_extensions(s, [extension(r"\*22", "lua toggle.lua")])
    (s.root / "scripts").mkdir(exist_ok=True)
    (s.root / "scripts/toggle.lua").write_text(TOGGLE)
    (s.root / "scripts/board.lua").write_text(BOARD)
    s.start()
    yield s
    s.stop()


def board(sw):
    return sw.api("lua board.lua desk@t " + re.match(r"\d+", sw.api("strepoch"))[0])


def toggled(sw, phone, status):
    events = sw.esl()
    events.subscribe("CHANNEL_PARK CUSTOM callcenter::info")
    phone.invite("*22")
    phone.answered()
    parked = events.wait_event("CHANNEL_PARK")
    assert parked["variable_agent_said"] == "+OK"
    phone.bye()
    events.close()
    sw.wait_calls(0)
    assert agents(sw)[phone.user + "@t"]["status"] == status


def test_an_agents_day(sw, phone):
    a = phone("1001")
    assert board(sw) == "1001@t=Logged Out/Waiting/Ready,1002@t=Logged Out/Waiting/Ready waiting 0 talking  available 0 well true"
    toggled(sw, a, "Available")
    assert board(sw) == "1001@t=Available/Waiting/Ready,1002@t=Logged Out/Waiting/Ready waiting 0 talking  available 1 well true"
    caller(sw, "desk@t", number="5551")
    invite = a.expect(method="INVITE")
    a.reply(invite, 180, "Ringing")
    caller(sw, "desk@t", number="5552")
    t.until(lambda: "1001@t=Available/Receiving/Offering," in board(sw))
    assert " waiting 2 talking  available 1 " in board(sw)
    accept(a, invite)
    t.until(lambda: " waiting 1 talking 5551>1001@t available 1 " in board(sw))
    assert board(sw).startswith("1001@t=Available/In a queue call/Active Inbound,1002@t=Logged Out/Waiting/Ready ")
    sw.api("hupall")
    sw.wait_calls(0)
    becomes_quiet(sw, "desk@t")
    toggled(sw, a, "Logged Out")
    assert board(sw).startswith("1001@t=Logged Out/Waiting/Ready,")
