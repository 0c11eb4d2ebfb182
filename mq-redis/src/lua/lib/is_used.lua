-- Whether a claim number is not above the highest one used. As texts: a double cannot tell large
-- numbers apart, and would take a new one for used.
local function is_used(number, highest)
  if not highest then return false end
  return #number < #highest or #number == #highest and number <= highest
end
