"""Drives the venue stub with the official Python client; prints one JSON object per step.

Run by tests/venue_clients.rs: argv[1] is the stub's address, the account stands in POLYMARKET_*.
Needs `py-clob-client-v2` (PyPI); exits 77 where it is not installed.
"""

import json
import os
import sys

try:
    from py_clob_client_v2.client import ClobClient
    from py_clob_client_v2.clob_types import ApiCreds
    from py_clob_client_v2.exceptions import PolyApiException
except ImportError as error:
    print(f"py-clob-client-v2 is not installed for {sys.executable}: {error}", file=sys.stderr)
    sys.exit(77)

# The private key 0x…01: public, of nobody. Its address is the stub's account.
PRIVATE_KEY = "0x" + "0" * 63 + "1"


def client(url, secret):
    creds = ApiCreds(
        api_key=os.environ["POLYMARKET_API_KEY"],
        api_secret=secret,
        api_passphrase=os.environ["POLYMARKET_API_PASSPHRASE"],
    )
    return ClobClient(host=url, chain_id=137, key=PRIVATE_KEY, creds=creds)


def main():
    url = sys.argv[1]
    secret = os.environ["POLYMARKET_API_SECRET"]
    own = client(url, secret)
    say = lambda step, value: print(json.dumps({"step": step, "value": value}), flush=True)
    say("time", own.get_server_time())
    orders = own.get_open_orders()
    say("orders", [order["id"] for order in orders])
    say("cancel_two", own.cancel_orders([orders[0]["id"], orders[1]["id"]]))
    say("cancel_all", own.cancel_all())
    say("left", [order["id"] for order in own.get_open_orders()])
    try:
        client(url, "AAAA" + secret[4:]).cancel_all()
        say("wrong_secret", "accepted")
    except PolyApiException as error:
        say("wrong_secret", error.status_code)
    say("delete_key", own.delete_api_key())
    try:
        own.cancel_all()
        say("deleted_key", "accepted")
    except PolyApiException as error:
        say("deleted_key", error.status_code)


main()
