"""Records of TLS 1.3 that no library sends: encrypted with the keys of a connection that is open, so
that only what is in them is wrong (RFC 8446, 5.2 and 7.1).
"""
import ctypes
import ctypes.util
import hashlib
import hmac
import pathlib
import struct
import tempfile

import certificates
from wire import Peer

ALERT, HANDSHAKE, DATA = 21, 22, 23  # types of content
CLIENT_HELLO, NEW_SESSION_TICKET, CERTIFICATE, FINISHED, KEY_UPDATE = 1, 4, 11, 20, 24
CIPHERS = {"TLS_AES_256_GCM_SHA384": ("EVP_aes_256_gcm", 32, hashlib.sha384),
           "TLS_AES_128_GCM_SHA256": ("EVP_aes_128_gcm", 16, hashlib.sha256)}
EVP_CTRL_AEAD_GET_TAG = 0x10
TAG_SIZE = 16

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
_crypto.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
for _, (_name, *_) in CIPHERS.items():
    getattr(_crypto, _name).restype = ctypes.c_void_p


def handshake_message(kind, body=b""):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def key_update(asks_back):
    return handshake_message(KEY_UPDATE, bytes([asks_back]))


def record(kind, body, size=None):
    """A record that is not encrypted, or what is in one that is; `size` is what its head says."""
    return struct.pack(">BHH", kind, 0x0303, len(body) if size is None else size) + body


def alert(level, description):
    return record(ALERT, bytes([level, description]))


CLOSE_NOTIFY = bytes([1, 0])


def _seal(cipher, key, nonce, additional, plain):
    """AES-GCM, by libcrypto."""
    context = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
    out, tag, size = ctypes.create_string_buffer(len(plain) + 16), \
        ctypes.create_string_buffer(TAG_SIZE), ctypes.c_int()
    count = ctypes.byref(size)
    good = _crypto.EVP_EncryptInit_ex(context, ctypes.c_void_p(cipher), None, key, nonce) == 1 and \
        _crypto.EVP_EncryptUpdate(context, None, count, additional, len(additional)) == 1 and \
        _crypto.EVP_EncryptUpdate(context, out, count, plain, len(plain)) == 1 and \
        _crypto.EVP_EncryptFinal_ex(context, None, ctypes.byref(ctypes.c_int())) == 1 and \
        _crypto.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) == 1
    _crypto.EVP_CIPHER_CTX_free(context)
    assert good
    return out.raw[:len(plain)] + tag.raw


class Forger(Peer):
    """An agency that has done the handshake, and from then on makes its records by hand."""

    def __init__(self, port, agency, identity, **options):
        context = certificates.agency_context(identity)
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "secrets")
            context.keylog_filename = str(log)
            super().__init__(port, agency, tls=context, **options)
            secrets = dict(line.split()[::2] for line in log.read_text().splitlines()
                           if not line.startswith("#"))
        name, self.key_size, self.hash = CIPHERS[self.socket.tls.cipher()[0]]
        self.cipher = getattr(_crypto, name)()
        self.secret = bytes.fromhex(secrets["CLIENT_TRAFFIC_SECRET_0"])
        self.sequence = 0

    def _expand(self, label, size):
        label = b"tls13 " + label
        info = struct.pack(">HB", size, len(label)) + label + b"\0"
        return hmac.digest(self.secret, info + b"\1", self.hash)[:size]

    def sealed(self, kind, content, padding=0):
        """The next record, with this in it."""
        inner = content + bytes([kind]) + bytes(padding)
        head = struct.pack(">BHH", DATA, 0x0303, len(inner) + TAG_SIZE)
        nonce = int.from_bytes(self._expand(b"iv", 12), "big") ^ self.sequence
        self.sequence += 1
        return head + _seal(self.cipher, self._expand(b"key", self.key_size),
                            nonce.to_bytes(12, "big"), head, inner)

    def key_updates(self, count, asks_back):
        """So many changes of our keys, each in a record of its own."""
        data = []
        for _ in range(count):
            data.append(self.sealed(HANDSHAKE, key_update(asks_back)))
            self.secret = self._expand(b"traffic upd", self.hash().digest_size)
            self.sequence = 0
        return b"".join(data)

    def send_raw(self, data):
        """Bytes as they are."""
        self.socket.plain.sendall(data)

    def send_bytes(self, data):
        self.send_raw(b"".join(self.sealed(DATA, data[i:i + 16384])
                               for i in range(0, len(data), 16384)))

    def end(self):
        self.send_raw(self.sealed(ALERT, CLOSE_NOTIFY))

    def close(self):
        try:
            self.end()
        except OSError:
            pass
        self.socket.close()
