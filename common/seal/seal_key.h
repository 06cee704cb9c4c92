/* seal_key.h - the key that signs the notes of sealed draws: a private key for Ed25519 in a PEM
 * file (PKCS#8, as `openssl genpkey -algorithm ed25519` writes it), which only its owner may
 * access.
 *
 * Nothing of the private half gets into logs or texts of errors, and our own copies of it are wiped
 * before their memory is freed.
 */
#ifndef LOTTERY_SEAL_KEY_H
#define LOTTERY_SEAL_KEY_H

#include "buffer.h"
#include "errbuf.h"
#include "note_key.h"
#include "status.h"
#include "text.h"

struct seal_key;

/* Loads the key, whose name is SEAL_KEY_NAME. The path is absolute or relative to the directory
 * `dir_fd` (AT_FDCWD: the current one). The caller ends it with seal_key_destroy(). Blocks.
 *
 * NOTFOUND: there is no such file. INVALID: it may be accessed by others, or is not such a key.
 * NOMEM, IO. *err begins with the path and says why. */
enum status seal_key_load(int dir_fd, const char *path, struct seal_key **out, struct errbuf *err);

/* Makes a new key and its file, with mode 0600, which has its name only once it is whole and
 * durable; see key_file_create(). Then the same as seal_key_load(). Blocks.
 *
 * INUSE: there is such a file already, and it stays. NOMEM, NOSPACE, NOTFOUND (the directory), IO.
 * *err as above. */
enum status seal_key_generate(int dir_fd, const char *path, struct seal_key **out,
                              struct errbuf *err);

/* Wipes the key and frees it; NULL is fine. */
void seal_key_destroy(struct seal_key *key);

/* The public half; valid as long as the key. */
const struct note_key *seal_key_public(const struct seal_key *key);

/* Appends a note with this text (which ends with a line feed) and its signature. NOMEM: the buffer
 * is as before. */
enum status seal_key_sign(const struct seal_key *key, struct text text, struct buffer *out);

#endif
