-- For wrk: updates 100,000 contacts in random order, found by email address. See sandbox_wrk.py.
wrk.method = "PATCH"
wrk.headers["Authorization"] = "Basic c2FuZGJveC1pZDpzYW5kYm94LWtleQ=="
wrk.headers["Content-Type"] = "application/json"

request = function()
   local number = math.random(0, 99999)
   local body = string.format('{"email": "person%d@example.com", "city": "City %d"}', number, number % 7)
   return wrk.format(nil, "/v1/contacts", nil, body)
end
