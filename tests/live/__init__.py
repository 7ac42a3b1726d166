"""Live tests: a cloud variant is deployed, held to its contract and destroyed. They cost money.

Only `./seamless test live` runs what is marked `live`; everything else here tests the guard, the
clean-up and the listing of what is left without an account.
"""
