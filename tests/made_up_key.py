"""A security key in software, for tests that need its answers to be slightly wrong."""

import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestedCredentialData, AuthenticatorData

NAME = b"made-up-credential"
SITE = hashlib.sha256(b"testserver").digest()
PRESENT_AND_VERIFIED, WITH_CREDENTIAL = 0x05, 0x40


class Key:
    """Answers the challenge that a test client's session holds, as the browser would post it."""

    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP256R1())

    def created(self, client):
        public = ES256.from_cryptography_key(self.private.public_key())
        credential = AttestedCredentialData.create(bytes(16), NAME, public)
        flags = PRESENT_AND_VERIFIED | WITH_CREDENTIAL
        data = AuthenticatorData.create(SITE, flags, 0, bytes(credential))
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": bytes(data)})
        asked = self._asked(client, "webauthn.create")
        return self._answer(clientDataJSON=asked, attestationObject=attestation)

    def used(self, client, *, origin="http://testserver"):
        asked = self._asked(client, "webauthn.get", origin)
        data = bytes(AuthenticatorData.create(SITE, PRESENT_AND_VERIFIED, 1))
        signed = data + hashlib.sha256(asked).digest()
        signature = self.private.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._answer(clientDataJSON=asked, authenticatorData=data, signature=signature)

    @staticmethod
    def _asked(client, kind, origin="http://testserver"):
        challenge = client.session["mfa.webauthn.state"]["challenge"]
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin}).encode()

    @staticmethod
    def _answer(**parts):
        response = {name: websafe_encode(part) for name, part in parts.items()}
        name = websafe_encode(NAME)
        return {"id": name, "rawId": name, "type": "public-key", "response": response}
