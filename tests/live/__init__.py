"""Live tests deploy a cloud variant, run the contract and destroy it. They cost money.

Only `./seamless test live` runs tests marked `live`; the other tests here need no account.
"""
