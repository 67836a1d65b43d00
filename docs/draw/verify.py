#!/usr/bin/env python3
"""Recomputes a draw of usher from its record, independently of usher and with nothing but Python 3.11.
Not checked here, because the standard library has no such curves: the beacon's BLS signature (compare the
round with any drand server) and the operator's Ed25519 signature. usher verify-draw checks both."""
import hashlib, hmac, json, sys
from datetime import datetime

sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
num = lambda n: n.to_bytes(8, "big", signed=n < 0)
ms = lambda text: int(datetime.fromisoformat(text).timestamp() * 1000 + 0.5)
fields = lambda *f: b"".join(num(x) if isinstance(x, int) else num(len(x)) + x for x in f)
level_up = lambda h: [sha(b"\1", *h[i:i + 2]) if i + 1 < len(h) else h[i] for i in range(0, len(h), 2)]

def rule_and_randomness(rule, entropy, root_at):
    if rule["source"] == "public_value":
        assert ms(rule["not_before"]) >= root_at + 60_000, "the value could be known before the list was final"
        bound = fields(b"public_value", rule["description"].encode(), ms(rule["not_before"]))
        return bound, sha(fields(b"usher-public-value-1", entropy["value"].encode()))
    chain, beacon = rule["chain"], entropy["beacon"]
    late = root_at + rule["min_delay_s"] * 1000 - chain["genesis_time"] * 1000
    assert beacon["round"] == 1 + -(-max(late, 0) // (chain["period_s"] * 1000)), "not the round of the rule"
    bound = fields(b"drand", bytes.fromhex(chain["hash"]), bytes.fromhex(chain["public_key"]),
                   chain["scheme"].encode(), chain["genesis_time"], chain["period_s"], rule["min_delay_s"])
    return bound, sha(bytes.fromhex(beacon["signature"]))

with open(sys.argv[1], encoding="utf-8") as file:
    head, places = json.loads(file.readline()), [line.split() for line in file]
fans = sorted(bytes.fromhex(fan) for _, fan in places)
assert len(fans) == len(set(fans)) == head["fans"], "number of fans"
assert [int(n) for n, _ in places] == list(range(1, len(places) + 1)), "numbers are not 1, 2, 3, ..."
secret = bytes.fromhex(head["secret"])
bound, randomness = rule_and_randomness(head["rule"], head["entropy"], ms(head["root_published_at"]))
names = (head["event"].encode(), head["lane"].encode())
assert sha(fields(b"usher-draw-1", *names, bound, secret)).hex() == head["commitment"], "commitment"
level = [sha(b"\0", fan) for fan in fans] or [sha()]
while len(level) > 1:
    level = level_up(level)
assert level[0].hex() == head["root"], "root"
seed = sha(secret, level[0], randomness)
assert seed.hex() == head["seed"], "seed"
order = sorted(fans, key=lambda fan: hmac.digest(seed, fan, "sha256"))
assert [fan.hex() for fan in order] == [fan for _, fan in places], "order"
print(f"{len(fans)} numbers follow from commitment {head['commitment']} and root {head['root']}")
