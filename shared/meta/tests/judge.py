# Says of each body whether pywa accepts its signature, and signs it by the recipe of Meta's documentation.
import hashlib, hmac, json, sys
from pywa.utils import webhook_updates_validator

def answer(question):
    body, secret = bytes.fromhex(question["body"]), question["secret"]
    signed = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return [webhook_updates_validator(secret, body, question["signature"]), signed]

json.dump([answer(question) for question in json.load(sys.stdin)], sys.stdout)
